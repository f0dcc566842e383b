"""The HTTP service: `Library` over HTTP, and a page to search on. Needs the extra ``serve``.

`make_app` gives an ASGI application for a library; `serve` runs it. Nothing is in it that `Library`
lacks. It listens on this machine only, answers only to this machine's names (DNS rebinding), and
opens no file but the library's own sounds, by id.
"""

from audiosearch.server.app import make_app
from audiosearch.server.run import serve

__all__ = ["make_app", "serve"]
