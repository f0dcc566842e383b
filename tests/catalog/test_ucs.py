"""Names in the Universal Category System: what is one, what is none, and what a library makes of
them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosearch import Library
from audiosearch.audio.ixml import ixml
from audiosearch.catalog.database import writer
from audiosearch.catalog.ucs import index_names, read_list
from audiosearch.catalog.ucs_names import parse_name
from audiosearch.errors import AudioSearchError, InvalidQuery
from tests.libraries import random_units, synthetic

LIST = """UCS v8.2 (comments come first);;;
Category;SubCategory;CatID;CatShort
GUNS;AUTOMATIC;GUNAuto;GUN
DOORS;WOOD;DOORWood;DOOR
AMBIENCE;URBAN;AMBUrbn;AMB
"""


# cat_id, user, vendor, fx, creator, source, data
GOLDEN = {
    "GUNAuto_Uzi 9mm_TN_DORY": ("GUNAuto", None, None, "Uzi 9mm", "TN", "DORY", None),
    "GUNAuto_Uzi_TN_DORY_MKH8020": ("GUNAuto", None, None, "Uzi", "TN", "DORY", "MKH8020"),
    "GUNAuto-INT_UZI_TN_DORY": ("GUNAuto", "INT", None, "UZI", "TN", "DORY", None),
    "GUNAuto_UZI-Burst_TN_DORY": ("GUNAuto", None, "UZI", "UZI-Burst", "TN", "DORY", None),
    "GUNAuto-EXT_U 9-Far_TN_NONE_416-M": (
        "GUNAuto",
        "EXT",
        "U 9",
        "U 9-Far",
        "TN",
        "NONE",
        "416-M",
    ),
    "AMBTown_Calm 03_ESM_CPS_a_b": ("AMBTown", None, None, "Calm 03", "ESM", "CPS", "a_b"),
    "UIClick_Tür öffnen_BÄR_X1": ("UIClick", None, None, "Tür öffnen", "BÄR", "X1", None),
    "UIClick_Öffnen_ÄR_X1": ("UIClick", None, None, "Öffnen", "ÄR", "X1", None),
    "GUNAuto_步枪-连发_王伟_录音_远": ("GUNAuto", None, "步枪", "步枪-连发", "王伟", "录音", "远"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_names(name: str) -> None:
    parsed = parse_name(f"a folder/{name}.wav".encode())
    assert parsed is not None
    assert (
        parsed.cat_id,
        parsed.user_category,
        parsed.vendor_category,
        parsed.fx_name,
        parsed.creator_id,
        parsed.source_id,
        parsed.user_data,
    ) == GOLDEN[name]


@pytest.mark.parametrize(
    "name",
    [
        "dog_bark_01.wav",
        "dog_bark_close_01.wav",
        "Track_01_Final_Mix.wav",
        "MYSong_Final_Mix_2.wav",
        "THEEnd_of_the_day.wav",
        "IMG_2024_05_01.wav",
        "DOORWood_Creak.wav",
        "DOORWood_Creak_TN_.wav",
        "DOORWood__TN_DORY.wav",
        "DoorWood_Creak_TN_DORY.wav",
        "DOORWOOD_Creak_TN_DORY.wav",
        "DOORWood Creak TN DORY.wav",
        "ZOOM0001_Tr1_TN_DORY.wav",
        "SC_DH_140_drum_loop.wav",
        "NASA_Apollo_11_Launch.wav",
        "BBCNature_dawn chorus_spring_UK.wav",
        "",
        "_.wav",
        "____",
    ],
)
def test_ordinary_names(name: str) -> None:
    assert parse_name(name.encode()) is None


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/_"), max_size=8), max_size=7)
)
def test_names_keep_their_blocks(blocks: list[str]) -> None:
    """What is taken apart can be put together again."""
    name = "_".join(["DOORWood", *blocks])
    parsed = parse_name(f"{name}.wav".encode())
    if parsed is None:
        lacking = len(blocks) < 3 or not all(block.strip() for block in blocks[:3])
        assert lacking or blocks[1][0].islower() or not blocks[1][0].isalnum()
    else:
        assert [parsed.fx_name, parsed.creator_id, parsed.source_id] == blocks[:3]
        data = "_".join(block for block in blocks[3:] if block)
        assert parsed.user_data == (data or None)


@given(st.binary(max_size=40))
def test_any_name(name: bytes) -> None:
    parse_name(name)


def test_a_list_makes_short_names_count() -> None:
    assert parse_name(b"DOORWood_Creak.wav", {"DOORWood"}) is not None
    assert parse_name(b"DOORIron_Creak.wav", {"DOORWood"}) is None
    assert parse_name(b"DOORWood.wav", {"DOORWood"}) is None


@pytest.fixture
def library(tmp_path: Path) -> Library:
    with synthetic(tmp_path / "library") as made:
        for number, name in enumerate(
            [
                "GUNAuto_Uzi_TN_DORY.wav",
                "GUNAuto_Mp5_TN_DORY.wav",
                "x/GUNRif_Far_TN_DORY.wav",
                "DOORWood_Creak.wav",
                "dog_bark_01.wav",
            ]
        ):
            made.add(name, random_units(1, number))
        made.fail("GUNAuto_Broken_TN_DORY.wav")
        made.refresh()
    (tmp_path / "ucs.csv").write_text(LIST, encoding="utf-8-sig")
    return Library.open(tmp_path / "library")


def passing(library: Library, value: str) -> list[str]:
    where = {"ucs_category": value}
    hits = library.search(random_units(1, 0)[0], where=where)
    paths = sorted(sound.path for sound in library.sounds(where))
    assert sorted(hit.path for hit in hits) == paths
    return [os.path.basename(path) for path in paths]  # noqa: PTH119


def test_filters_and_facets(library: Library, tmp_path: Path) -> None:
    facets = library.facets()
    assert facets.ucs == {"GUNAuto": 2, "GUNRif": 1}
    assert facets.ucs_category == {"GUN": 3}
    assert facets.ucs_subcategory == {}
    assert passing(library, "gun") == [
        "GUNAuto_Mp5_TN_DORY.wav",
        "GUNAuto_Uzi_TN_DORY.wav",
        "GUNRif_Far_TN_DORY.wav",
    ]
    assert passing(library, "GUNS") == []
    assert library.facets({"ucs_category": "GUNRif"}).ucs == {"GUNAuto": 2, "GUNRif": 1}

    assert library.set_ucs_list(tmp_path / "ucs.csv") == 3
    facets = library.facets()
    assert facets.ucs == {"GUNAuto": 2, "DOORWood": 1, "GUNRif": 1}
    assert facets.ucs_category == {"GUNS": 2, "DOORS": 1, "GUN": 1}
    assert facets.ucs_subcategory == {"GUNS-AUTOMATIC": 2, "DOORS-WOOD": 1}
    for name in ("ucs", "ucs_category", "ucs_subcategory"):
        for value, count in getattr(facets, name).items():
            # The short form is the filter of a whole category, listed or not.
            assert len(passing(library, value)) == (3 if value == "GUN" else count)
    [door] = library.search(random_units(1, 0)[0], where={"ucs_category": "doors"})
    assert door.ucs == {
        "cat_id": "DOORWood",
        "cat_short": "DOOR",
        "fx_name": "Creak",
        "category": "DOORS",
        "subcategory": "WOOD",
        "source": "name",
    }


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_names_follow_their_sounds(library: Library) -> None:
    """Removed sounds leave no name behind."""
    library.remove([1, 2])
    assert library.facets().ucs == {"GUNRif": 1}
    with closing(sqlite3.connect(library.directory / "library.db")) as database:
        assert database.execute("SELECT count(*) FROM ucs_names").fetchone() == (2,)  # one failed


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_an_old_library_gets_its_names(library: Library) -> None:
    """Without its files, which are not there."""
    with closing(sqlite3.connect(library.directory / "library.db")) as database:
        database.execute("DROP TABLE ucs_names")
        database.execute("DROP TABLE ucs_categories")
        database.execute("DROP TABLE ucs_kept")
        first = "SELECT number FROM migrations WHERE name LIKE '%ucs_names'"
        database.execute(f"DELETE FROM migrations WHERE number >= ({first})")
        database.commit()
    with Library.open(library.directory) as upgraded:
        assert upgraded.facets().ucs == {"GUNAuto": 2, "GUNRif": 1}


def test_suggestions(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InvalidQuery, match="--ucs-list FILE"):
        list(library.suggest_ucs())
    library.set_ucs_list(tmp_path / "ucs.csv")
    [dog] = library.suggest_ucs(k=2)
    assert dog.path.endswith("dog_bark_01.wav")
    assert len(dog.suggestions) == 2
    first, second = dog.suggestions
    texts = {f"{c.subcategory} {c.category}".lower(): c.score for c in dog.suggestions}
    mean = random_units(1, 4)[0]
    for text, score in texts.items():
        assert score == pytest.approx(float(library.embed_text([text])[0] @ mean), abs=1e-3)
    assert first.score >= second.score
    assert library.sound(dog.id).ucs == {}


@pytest.mark.parametrize("content", ["", "a,b\n1,2", "Category,CatID\nGUNS,GUNAuto", "\0"])
def test_other_lists(tmp_path: Path, content: str) -> None:
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(InvalidQuery, match="no list of UCS categories"):
        read_list(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidQuery, match="not UTF-8"):
        read_list(tmp_path / "list.csv")
    with pytest.raises(InvalidQuery, match="cannot read"):
        read_list(tmp_path / "none.csv")


def test_kept_choices(library: Library, tmp_path: Path) -> None:
    """They count like names, say that they are none, and end with their sounds."""
    library.set_ucs_list(tmp_path / "ucs.csv")
    [dog] = library.suggest_ucs()
    assert library.keep_ucs({dog.id: "doorwood"}) == 1
    assert library.keep_ucs({dog.id: "DOORWood"}) == 0
    assert library.ucs_choices() == {dog.id: "DOORWood"}
    assert library.ucs_choices({"path": "nowhere"}) == {}
    assert library.sound(dog.id).ucs == {
        "cat_id": "DOORWood",
        "cat_short": "DOOR",
        "category": "DOORS",
        "subcategory": "WOOD",
        "source": "kept",
    }
    assert passing(library, "DOORS-WOOD") == ["DOORWood_Creak.wav", "dog_bark_01.wav"]
    assert library.facets().ucs["DOORWood"] == 2
    assert list(library.suggest_ucs()) == []
    assert library.changes()[-1].id == dog.id

    library.set_ucs_list(tmp_path / "ucs.csv")  # takes all names apart again
    assert library.sound(dog.id).ucs["source"] == "kept"
    assert library.keep_ucs({dog.id: None}) == 1
    assert library.sound(dog.id).ucs == {}
    assert library.facets().ucs["DOORWood"] == 1

    library.keep_ucs({dog.id: "AMBUrbn"})
    library.remove(dog.id)
    assert library.ucs_choices() == {}


@pytest.mark.parametrize(
    ("which", "cat_id", "reason"),
    [
        (5, "DOORIron", "'DOORIron' is not on the library's list"),
        (1, "DOORWood", "GUNAuto_Uzi_TN_DORY.wav has a UCS category already: GUNAuto"),
        (99, "DOORWood", "no sound with id 99"),
        (99, None, "no sound with id 99"),
    ],
)
def test_what_cannot_be_kept(
    library: Library, tmp_path: Path, which: int, cat_id: str | None, reason: str
) -> None:
    with pytest.raises(InvalidQuery, match="'my doors' is no CatID"):
        library.keep_ucs({5: "my doors"})
    library.set_ucs_list(tmp_path / "ucs.csv")
    with pytest.raises(AudioSearchError, match=reason):
        library.keep_ucs({5: "DOORWood", which: cat_id})
    assert library.ucs_choices() == {}


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_a_name_comes_before_a_choice(library: Library) -> None:
    """A renamed file goes by its name; the choice waits, and can be taken back."""
    assert library.keep_ucs({5: "DOORWood"}) == 1
    with closing(sqlite3.connect(library.directory / "library.db")) as database:
        database.execute("UPDATE sounds SET path = ? WHERE id = 5", (b"ANMLDog_Bark_TN_DORY.wav",))
        database.commit()
    engine = writer(library.directory)
    with engine.begin() as connection:
        index_names(connection, [5])
    engine.dispose()
    assert library.sound(5).ucs["source"] == "name"
    assert library.sound(5).ucs["cat_id"] == "ANMLDog"
    assert library.ucs_choices() == {5: "DOORWood"}
    assert library.keep_ucs({5: None}) == 1
    assert library.sound(5).ucs["cat_id"] == "ANMLDog"


@pytest.mark.sqlite("it opens the file of SQLite itself")
def test_an_older_library_gets_room_for_choices(library: Library) -> None:
    with closing(sqlite3.connect(library.directory / "library.db")) as database:
        database.execute("DROP TABLE ucs_kept")
        database.execute("ALTER TABLE ucs_names DROP COLUMN source")
        first = "SELECT number FROM migrations WHERE name LIKE '%ucs_choices'"
        database.execute(f"DELETE FROM migrations WHERE number >= ({first})")
        database.commit()
    with Library.open(library.directory) as upgraded:
        assert upgraded.sound(1).ucs["source"] == "name"
        assert upgraded.keep_ucs({5: "DOORWood"}) == 1


def test_embedded_categories(tmp_path: Path) -> None:
    """They count where neither the name nor a choice says anything."""
    xml = b"<BWFXML><USER><CATID>AMBUrbn</CATID></USER></BWFXML>"
    with synthetic(tmp_path / "library") as made:
        made.add("street.wav", random_units(1, 0), tags=dict(ixml(xml)))
        made.add("odd.wav", random_units(1, 1), tags={"cat_id": "a street"})
        made.add("GUNRif_Far_TN_DORY.wav", random_units(1, 2), tags={"cat_id": "AMBUrbn"})
        made.refresh()
    library = Library.open(tmp_path / "library")
    assert library.facets().ucs == {"AMBUrbn": 1, "GUNRif": 1}
    assert library.sound(1).ucs["source"] == "embedded"
    library.keep_ucs({1: "DOORWood"})
    assert library.sound(1).ucs["cat_id"] == "DOORWood"
    library.keep_ucs({1: None})
    assert library.sound(1).ucs["cat_id"] == "AMBUrbn"
