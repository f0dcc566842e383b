"""iXML (gallery.ixml.info) and the Steinberg attributes that sound libraries fill in.

Recorders write it by hand: ``&`` as it is, another encoding than it says, a cut end. What is no XML
is read by its elements alone.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from audiosearch.audio.texts import decoded

_IXML = {
    "SCENE": "scene",
    "TAKE": "take",
    "NOTE": "comment",
    "PROJECT": "library",
    "FXNAME": "title",
    "DESCRIPTION": "description",
    "LIBRARY": "library",
    "CATEGORY": "category",
    "SUBCATEGORY": "subcategory",
    "CATID": "cat_id",
    "KEYWORDS": "keywords",
    "DESIGNER": "originator",
}
_STEINBERG = {
    "MediaComment": "comment",
    "MediaLibrary": "library",
    "MediaCategoryPost": "category",
    "MusicalCategory": "category",
}


# An element without others in it: up to the next tag, or to where the text was cut.
_ELEMENT = re.compile(
    r"<(?:\w+:)?(\w+)(?:\s[^<>]*)?>(?:<!\[CDATA\[(.*?)(?:\]\]>|$)|((?:[^<]|<(?![/!?\w]))*))",
    re.DOTALL,
)


_COMMENT = re.compile(r"<!--.*?(?:-->|$)", re.DOTALL)


def ixml(data: bytes) -> Iterator[tuple[str, str]]:
    """Key and text of each element that is known."""
    data = data.strip(b"\0 \r\n\t")
    # Entities can be made to grow without bound; no iXML has any use for them.
    if b"<!ENTITY" in data.upper():
        return
    if b"<!DOCTYPE" in data.upper():
        yield from _loose(data)
        return
    try:
        root = ElementTree.fromstring(_as_it_is(data))
    except (ElementTree.ParseError, ValueError, LookupError):
        yield from _loose(data)
        return
    for element in root.iter():
        name = element.tag.rpartition("}")[2].upper() if isinstance(element.tag, str) else ""
        key = _IXML.get(name)
        if key and element.text:
            yield key, element.text
        if name == "ATTR":
            named = _STEINBERG.get(element.findtext("NAME", ""))
            if named:
                yield named, element.findtext("VALUE", "")


def _as_it_is(data: bytes) -> bytes | str:
    """As text where it is UTF-8, whatever it says of itself."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _loose(data: bytes) -> Iterator[tuple[str, str]]:
    """The same from what only looks like XML."""
    attribute = ""
    for name, quoted, plain in _ELEMENT.findall(_COMMENT.sub("", _text(data))):
        text, upper = quoted or html.unescape(plain), name.upper()
        if upper == "NAME":
            attribute = text.strip()
        elif upper == "VALUE" and attribute in _STEINBERG:
            yield _STEINBERG[attribute], text
        elif upper in _IXML:
            yield _IXML[upper], text


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "ignore")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", "ignore")
    return decoded(data.replace(b"\0", b""))
