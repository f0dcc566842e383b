"""The HTTP service: `Library` over HTTP, and a page to search on. Needs the extra ``serve``.

`make_app` gives an ASGI application for a library; `serve` runs it. Nothing is in it that `Library`
lacks, but for jobs. It listens on this machine only unless there are keys, answers only to its own
names (DNS rebinding), opens no file but the library's own sounds, by id, and indexes none but those
under the library's folders.
"""

from audiosearch.server.app import make_app
from audiosearch.server.serving import serve
from audiosearch.server.settings import Settings

__all__ = ["Settings", "make_app", "serve"]
