"""One text of a sound, said as other people would say it: queries, captions, file and catalogue names.

`reworded(text, rng)` draws one of these ways, alone or two in a row. The kinds, class wordings and
captions of the recipe make well over 50,000 texts of it. What is drawn means the same sound, so all
of it is drawn to one vector in training.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

# British and American, each to the other.
SPELLINGS = (
    ("tyre", "tire"), ("grey", "gray"), ("colour", "color"), ("centre", "center"), ("theatre", "theater"),
    ("aeroplane", "airplane"), ("armour", "armor"), ("harbour", "harbor"), ("plough", "plow"),
    ("lorry", "truck"), ("faucet", "tap"), ("elevator", "lift"), ("hoover", "vacuum cleaner"),
    ("cockerel", "rooster"), ("motorway", "highway"), ("mobile phone", "cell phone"), ("spanner", "wrench"),
    ("petrol", "gasoline"), ("rubbish", "garbage"), ("trash can", "dustbin"), ("streetcar", "tram"),
    ("subway", "underground train"), ("windscreen", "windshield"), ("bonnet", "hood"), ("pavement", "sidewalk"),
    ("autumn", "fall"), ("motorbike", "motorcycle"), ("film", "movie"), ("flat", "apartment"), ("cot", "crib"),
    ("railway", "railroad"), ("aluminium", "aluminum"), ("mum", "mom"), ("football", "soccer"), ("shop", "store"),
    ("tin", "can"), ("trolley", "shopping cart"), ("zip", "zipper"), ("biscuit", "cookie"), ("crisps", "chips"),
    ("caravan", "camper"), ("dialling", "dialing"), ("travelling", "traveling"), ("jewellery", "jewelry"),
)  # fmt: skip
FRAMES = (
    "the sound of {}", "sound of {}", "a recording of {}", "i can hear {}", "{} sound", "{} sound effect",
    "{} sfx", "{} noise", "audio of {}", "someone recorded {}", "you hear {}", "there is {}", "noise of {}",
    "{} recording", "field recording of {}", "listen to {}", "{} foley", "{} sample",
)  # fmt: skip
CIRCUMSTANCES = (
    "distant {}", "loud {}", "{} close up", "{} in the background", "{} far away", "{} outdoors", "{} indoors",
    "quiet {}", "short {}", "long {}", "single {}", "{} in a room", "{} at night", "{} once", "{} several times",
    "{} in the distance", "faint {}", "heavy {}", "{} with some noise", "clean {}", "{} recorded from nearby",
)  # fmt: skip
CATALOGUES = (
    "{}_{:02d}",
    "{} {:02d}",
    "SFX_{}_{:02d}",
    "{}-{:d}.wav",
    "{}_v{:d}",
    "{}{:d}",
    "{} take {:d}",
    "fx_{}_{:02d}.flac",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def spelled(text: str, rng: np.random.Generator) -> str:
    """With one word in the other English, where it has one."""
    pairs = [pair for a, b in SPELLINGS for pair in ((a, b), (b, a))]
    fitting = [(a, b) for a, b in pairs if re.search(rf"\b{a}s?\b", text)]
    if not fitting:
        return text
    one, other = fitting[rng.integers(len(fitting))]
    return re.sub(rf"\b{one}(s?)\b", rf"{other}\1", text)


def plural(noun: str) -> str:
    """Of a regular noun."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def numbered(text: str, rng: np.random.Generator) -> str:
    """A text of one or two words in the plural, or in the singular if it was one."""
    words = text.split(" ")
    if len(words) > 2 or words[-1].endswith("ing") or not words[-1].isalpha():
        return text
    last = words[-1]
    is_plural = last.endswith("s") and not last.endswith("ss")
    return " ".join([*words[:-1], last[:-1] if is_plural else plural(last)])


def cased(text: str, rng: np.random.Generator) -> str:
    """In capitals, or with one at the beginning of each word or of the text."""
    ways: tuple[Callable[[str], str], ...] = (str.upper, str.title, str.capitalize)
    return ways[rng.integers(3)](text)


def mistyped(text: str, rng: np.random.Generator) -> str:
    """With one slip in a word of five letters or more: swapped, missing, doubled, wrong, split."""
    places = [match.span() for match in re.finditer(r"[a-z]{5,}", text)]
    if not places:
        return text
    start, end = places[rng.integers(len(places))]
    at = int(rng.integers(start + 1, end - 1))
    slips = (
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        text[:at] + text[at + 1 :],
        text[:at] + text[at] + text[at:],
        text[:at] + LETTERS[rng.integers(26)] + text[at + 1 :],
        text[: at + 1] + " " + text[at + 1 :],
    )
    return slips[rng.choice(5, p=[0.3, 0.25, 0.25, 0.12, 0.08])]


def framed(text: str, rng: np.random.Generator) -> str:
    """In a sentence, or with the word for what it is."""
    return FRAMES[rng.integers(len(FRAMES))].format(text)


def placed(text: str, rng: np.random.Generator) -> str:
    """With where or how it is heard."""
    return CIRCUMSTANCES[rng.integers(len(CIRCUMSTANCES))].format(text)


def catalogued(text: str, rng: np.random.Generator) -> str:
    """As a file or an entry of a sound library is named, in the manner of UCS too."""
    words = re.findall(r"[A-Za-z0-9']+", text)
    if not words:
        return text
    number = int(rng.integers(1, 30))
    draw = rng.random()
    if draw < 0.25:  # category and name: DOGBark_Small Dog Bark_03
        short = "".join(word[:4] for word in words[:2])
        head = short[:4].upper() + short[4:].capitalize()
        return f"{head}_{' '.join(words).title()}_{number:02d}"
    if draw < 0.5:  # Dog, Bark, Small
        return ", ".join(word.capitalize() for word in words)
    joint = ("_", "-", " ", "")[rng.choice(4, p=[0.45, 0.25, 0.25, 0.05])]
    name = joint.join(words)
    return CATALOGUES[rng.integers(len(CATALOGUES))].format(name, number)


WAYS: tuple[tuple[Callable[[str, np.random.Generator], str], float], ...] = (
    (spelled, 0.14),
    (numbered, 0.12),
    (cased, 0.08),
    (mistyped, 0.18),
    (framed, 0.2),
    (placed, 0.14),
    (catalogued, 0.14),
)  # fmt: skip


def reworded(text: str, rng: np.random.Generator) -> str:
    """One of the ways above, one time in four two of them."""
    chances = [chance for _, chance in WAYS]
    for _ in range(1 + (rng.random() < 0.25)):
        text = WAYS[rng.choice(len(WAYS), p=chances)][0](text, rng)
    return text
