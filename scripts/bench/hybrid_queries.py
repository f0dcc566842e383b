"""Judged queries of `scripts.bench.hybrid` that are no captions: what a searcher types, each with the
captions of the sounds that answer it.

They were written from the captions. They choose nothing: captions alone chose the weight. The same
author wrote queries and judgements, and knew how the search works.
"""

from __future__ import annotations

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "eight")

JUDGED: dict[str, frozenset[str]] = {
    "infant wailing": frozenset({"a baby cries", "a hungry baby cries", "a tired baby cries"}),
    "big cat growling": frozenset({"a leopard growls"}),
    "walking through snow": frozenset({"footsteps crunch in snow"}),
    "somebody running": frozenset(
        {"running footsteps on grass", "running footsteps on metal", "running footsteps on sand"}
    ),
    "small arms fire": frozenset(
        {"a pistol is fired", "a shotgun is fired", "a submachine gun fires"}
    ),
    "emergency vehicle": frozenset(
        {"a fire truck siren", "a police siren", "a police siren wails"}
    ),
    "dishes rattling in a kitchen": frozenset({"plates clatter"}),
    "water rushing over a cliff": frozenset({"a waterfall roars"}),
    "loud insects on a summer day": frozenset({"cicadas buzz loudly"}),
    "steam train": frozenset({"a steam locomotive puffs", "a steam train whistle blows"}),
    "spoken digit": frozenset(
        {
            *(f"a person says the number {digit}" for digit in _DIGITS),
            *(f"a person says the word {digit}" for digit in ("one", "two", "seven")),
        }
    ),
    "chopper": frozenset({"a helicopter flies", "a helicopter rotor flaps"}),
    "poultry on a farm": frozenset(
        {
            *("a baby chick cheeps", "a chicken clucks", "a chicken cries out in pain"),
            *("a duck quacks", "a goose honks", "a hen cries out in pain", "a rooster crows"),
        }
    ),
    "video game soundtrack": frozenset(
        {
            "electronic ambient music from a video game",
            *(f"instrumental music from a {of} game" for of in ("racing", "strategy", "video")),
            "orchestral fantasy game music",
        }
    ),
    "ravens and crows": frozenset({"a crow caws", "crows caw"}),
    "bow and arrow": frozenset(
        {
            *("a burning arrow is shot", "a small bow is shot", "an arrow hits the ground"),
            *("an arrow is shot from a bow", "an arrow is taken from a quiver"),
        }
    ),
    "contented kitten": frozenset({"a cat purrs"}),
    "shattering window": frozenset({"glass breaks"}),
}
