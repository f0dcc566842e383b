"""Names of files in the Universal Category System (UCS), taken apart.

    CatID(-UserCategory)_(VendorCategory-)FXName_CreatorID_SourceID(_UserData)

A CatID is a category in capitals and a subcategory with one capital: ``DOORWood``. A name counts
only if it has all four blocks, and a creator that begins with a capital, a digit or a letter that
has no case, as in Chinese: without the list of categories, ``MYSong_final_mix_2`` must not become a
category. With the list, a CatID that is on it and any further block are enough. The blocks are kept
as they are written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container
from dataclasses import dataclass

# Two capitals are those of the user interface (UIClick); all other categories have three to five.
_CAT_ID = re.compile(r"(?P<short>UI|[A-Z]{3,5})(?P<rest>[A-Z][a-z]{1,7})")


@dataclass(frozen=True)
class UcsName:
    """The blocks of a name; `None` for a block that it lacks. `cat_short` is the category part of
    the `cat_id`.
    """

    cat_id: str
    cat_short: str
    fx_name: str
    creator_id: str | None = None
    source_id: str | None = None
    user_category: str | None = None
    vendor_category: str | None = None
    user_data: str | None = None


def is_cat_id(text: str) -> bool:
    """Return whether a text has the form of a CatID.

    >>> is_cat_id("DOORWood"), is_cat_id("DoorWood")
    (True, False)
    """
    return _CAT_ID.fullmatch(text) is not None


def short_form(cat_id: str) -> str:
    """Return the category part of a CatID; all of one that has an unusual form.

    >>> short_form("DOORWood")
    'DOOR'
    """
    parts = _CAT_ID.fullmatch(cat_id)
    return parts["short"] if parts else cat_id


def parse_name(path: bytes, known: Container[str] = ()) -> UcsName | None:
    """Return the blocks of a file's name; `None` for a name that is not in the system.

    `known` are the CatIDs of the list. A name that is no UTF-8 is none.

    >>> parse_name(b"guns/GUNAuto-INT_UZI 9mm-Rapid Fire_TN_DORY_MKH8040.wav").vendor_category
    'UZI 9mm'
    >>> parse_name(b"dog_bark_01.wav")
    """
    try:
        stem = os.path.splitext(path.rpartition(b"/")[2])[0].decode()  # noqa: PTH122 (bytes)
    except UnicodeDecodeError:
        return None
    head, *blocks = stem.split("_")
    cat_id, _, user_category = head.partition("-")
    parts = _CAT_ID.fullmatch(cat_id)
    listed = cat_id in known
    if not listed and (parts is None or len(blocks) < 3 or not _is_creator(blocks[1])):
        return None
    if not blocks or not all(block.strip() for block in blocks[:3]):
        return None
    fx_name, *more = blocks
    creator, source = [*more, None, None][:2]
    vendor, hyphen, _ = fx_name.partition("-")
    return UcsName(
        cat_id=cat_id,
        cat_short=short_form(cat_id),
        fx_name=fx_name,
        creator_id=creator,
        source_id=source,
        user_category=user_category or None,
        vendor_category=vendor if hyphen and vendor.strip() else None,
        user_data="_".join(block for block in more[2:] if block) or None,
    )


def _is_creator(block: str) -> bool:
    return block[:1].isalnum() and not block[:1].islower()
