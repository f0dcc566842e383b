"""Hooks of the documentation site (`mkdocs.yml`): pages that are made when the site is built.

`reference/commands.md` is made from the commands of `audiosearch`. Documents that lie outside
`docs/` (the changelog, the card of mini ...) become pages too, and links to them are led there. A
link to any other file of the repository becomes its name, since the site does not hold that file.
A page that would load something from another host ends the build.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # mkdocs loads this file by its path

from scripts.docs.commands import reference  # noqa: E402

# By their path in the repository: the page that each becomes.
OUTSIDE = {
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "audiosearch/models/mini/README.md": "reference/mini.md",
    "sample_library/README.md": "reference/sample_library.md",
}
_LOADED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=.?(?:https?:)?//[^>]*>"
)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, *, config: MkDocsConfig, **_: Any) -> Files:
    """Add the pages that are made, and those from outside."""
    made = {"reference/commands.md": reference()}
    for source, page in OUTSIDE.items():
        made[page] = (ROOT / source).read_text(encoding="utf-8")
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, files: Files, **_: Any) -> str:
    """Lead links to where their target is on the site."""
    at = page.file.src_uri
    source = next((s for s, p in OUTSIDE.items() if p == at), f"docs/{at}")

    def led(match: re.Match[str]) -> str:
        picture, text, link = match.groups()
        target, anchor = _target(source, link)
        if target is None:
            return match[0]
        page_there = OUTSIDE.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(page_there) is None:
            return text
        relative = posixpath.relpath(page_there, posixpath.dirname(at))
        return f"{picture}[{text}]({relative}{anchor})"

    return _LINK.sub(led, markdown)


def on_post_page(output: str, *, page: Page, **_: Any) -> None:
    """Raise `PluginError` where a page loads something from another host."""
    loaded = _LOADED.search(output)
    if loaded:
        raise PluginError(
            f"{page.file.src_uri} would load something from another host: {loaded[0]}"
        )


def _target(source: str, link: str) -> tuple[str | None, str]:
    """The file of the repository that a link leads to (`None`: none does), and its anchor."""
    if re.match(r"[a-z]+:|#", link):
        return None, ""
    path, hash_sign, anchor = link.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path)), hash_sign + anchor
