"""What the recipe of mini says of words: kinds, rewording, the figures of wording, and its text training."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the recipe trains with torch")

from scripts.mini import grammar  # noqa: E402
from scripts.mini.kinds import (  # noqa: E402
    Kind,
    find_class,
    is_held,
    parse_weights,
    read_kinds,
    texts_of,
)
from scripts.mini.lessons import Lessons, aims_of_kinds  # noqa: E402
from scripts.mini.retell import Speaker, class_loss, draw, losses  # noqa: E402
from scripts.mini.student import TextHead  # noqa: E402
from scripts.mini.wording import (  # noqa: E402
    TRIALS,
    Sounds,
    rewordings,
    short_queries,
    unseen_kinds,
)

SHARED = Path(__file__).resolve().parents[3] / "shared"
SAMPLES = Path(__file__).parents[2] / "sample_library"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is only there in development"
)
NAMES = ["Jingle, tinkle", "Jingle (music)", "Dog", "Mouse", "Drawer open or close", "Tap"]


def test_a_class_is_found_by_its_name_or_its_beginning() -> None:
    assert find_class("jingle (music)", NAMES) == 1
    assert (
        find_class("jingle", NAMES) == 0
    )  # the part before a comma comes before that of a bracket
    assert find_class("drawer", NAMES) == 4
    for text in ("cat", "d"):
        with pytest.raises(ValueError, match="no class, or several"):
            find_class(text, NAMES)


def test_weights_are_given_or_fall_off_and_sum_to_one() -> None:
    weights = parse_weights("dog:6; mouse:3; tap", NAMES)
    assert weights == pytest.approx(np.array([0, 0, 6, 3, 0, 2.1]) / 11.1)
    assert parse_weights("tap; dog", NAMES)[[5, 2]] == pytest.approx([1 / 1.7, 0.7 / 1.7])


@needs_shared
def test_two_thousand_kinds_say_no_text_twice_and_a_tenth_is_held_out() -> None:
    from scripts.mini.teacher import labels

    kinds = read_kinds(labels(SHARED))
    texts = texts_of(kinds)
    assert len(kinds) >= 2000
    assert len(texts) == len(set(texts)) > 3 * len(kinds)
    fresh = [kind for kind in kinds if kind.source != "general"]
    assert 0.08 < sum(kind.held for kind in fresh) / len(fresh) < 0.14
    assert not any(kind.held for kind in kinds if kind.source == "general")
    for kind in kinds:
        assert kind.weights.sum() == pytest.approx(1, abs=1e-5)
        assert not kind.weights[kind.against].any()


def test_the_hold_out_of_kinds_is_fixed_by_their_names() -> None:
    names = [f"kind {i}" for i in range(3000)]
    assert sum(map(is_held, names)) == pytest.approx(300, abs=60)
    assert [is_held(name) for name in names[:40]] == [is_held(name) for name in names[:40]]


def test_words_change_as_people_change_them() -> None:
    rng = np.random.default_rng(0)
    assert grammar.spelled("tyre screech", rng) == "tire screech"
    assert grammar.spelled("tires screech", rng) == "tyres screech"
    assert grammar.spelled("dog", rng) == "dog"
    assert [
        grammar.numbered(t, rng) for t in ("dog", "dogs", "church bell", "glass", "barking")
    ] == [
        "dogs",
        "dog",
        "church bells",
        "glasses",
        "barking",
    ]
    assert grammar.mistyped("a dog", rng) == "a dog"
    slips = {grammar.mistyped("helicopter", rng) for _ in range(60)}
    assert len(slips) > 20
    assert all(abs(len(slip) - 10) <= 1 for slip in slips)
    assert {grammar.cased("a dog", rng) for _ in range(30)} == {"A DOG", "A Dog", "A dog"}
    names = [grammar.catalogued("small dog", rng) for _ in range(60)]
    assert any(re.fullmatch(r"[A-Z]{4}[A-Z][a-z]*_Small Dog_\d\d", name) for name in names)
    assert "Small, Dog" in names


def test_fifty_thousand_texts_come_of_a_few_thousand() -> None:
    rng = np.random.default_rng(0)
    texts = {grammar.reworded("a small dog barks at night", rng) for _ in range(400)}
    assert len(texts) > 150
    assert all(texts)


def perfect(kinds: dict[str, int]) -> Sounds:
    windows = np.eye(len(kinds), dtype=np.float32)
    return Sounds(windows, np.arange(len(kinds)), list(kinds))


def test_a_tower_that_words_everything_right_has_perfect_figures() -> None:
    with (TRIALS / "queries.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) >= 200
    with (SAMPLES / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        known = {row["kind"] for row in csv.DictReader(stream)}
    assert {row["kind"] for row in rows if row["set"] == "samples"} <= known
    place = {row["query"]: i for i, row in enumerate(rows)}

    def embed(texts: list[str]) -> np.ndarray:
        return np.eye(len(rows), dtype=np.float32)[[place[text] for text in texts]]

    def answers(which: str) -> Sounds:
        mine = [i for i, row in enumerate(rows) if row["set"] == which]
        # A sound for each query, at its own place, that the query's pattern fits.
        names = ["" for _ in mine]
        for position, i in enumerate(mine):
            kind = rows[i]["kind"]
            names[position] = kind if which == "samples" else example(kind)
        return Sounds(np.eye(len(rows), dtype=np.float32)[mine], np.arange(len(mine)), names)

    result = short_queries(embed, answers("corpus"), answers("samples"))
    assert result["first"]["mean"] == result["first_three"]["mean"] > 0.98
    wrong = short_queries(lambda texts: -embed(texts), answers("corpus"), answers("samples"))
    assert wrong["first"]["mean"] < 0.1


def example(pattern: str) -> str:
    """A text that a pattern of the queries fits."""
    text = pattern.split("|", maxsplit=1)[0].replace(r"\b", "").replace("^", "").replace("$", "")
    text = re.sub(r"\(([^)]*)\)?\??", r"\1", text)
    text = re.sub(r"\.\*", " ", re.sub(r"(.)\?", r"\1", text)).strip(" ()")
    assert re.search(pattern, text) or re.search(pattern, text + " claps"), (pattern, text)
    return text


def test_spread_over_rewordings_is_a_share_of_the_distance_of_unlike_texts() -> None:
    lines = (TRIALS / "rewordings.txt").read_text(encoding="utf-8").splitlines()
    groups = [line.partition(": ")[2].split("; ") for line in lines if not line.startswith("#")]
    place: dict[str, int] = {}
    for i, group in enumerate(groups):
        known = next((place[text] for text in group if text in place), i)  # a text of two groups
        place |= dict.fromkeys(group, known)

    def embed(texts: list[str]) -> np.ndarray:
        return np.eye(len(groups), dtype=np.float32)[[place[text] for text in texts]]

    assert rewordings(embed)["all"]["mean"] < 0.01  # a few texts belong to three groups
    rng = np.random.default_rng(0)

    def chance(texts: list[str]) -> np.ndarray:
        vectors = rng.standard_normal((len(texts), 512))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    assert rewordings(chance)["all"]["mean"] == pytest.approx(1, abs=0.05)


def kind(place: int, against: int | None = None, held: bool = False) -> Kind:
    weights, unlike = np.zeros(6, np.float32), np.zeros(6, bool)
    weights[place] = 1
    if against is not None:
        unlike[against] = True
    return Kind("test", (f"kind {place}",), weights, unlike, held)


def test_unseen_kinds_are_named_by_their_classes() -> None:
    def embed(texts: list[str]) -> np.ndarray:
        places = [int(t[-1]) if t.startswith("kind") else NAMES.index(t) for t in texts]
        return np.eye(6, dtype=np.float32)[places]

    lowered = [name.lower() for name in NAMES]
    NAMES[:] = lowered
    logits = np.where(np.eye(6, dtype=bool), 5.0, -5.0)
    kinds = [kind(i, held=i < 3) for i in range(6)]
    result = unseen_kinds(embed, kinds, lowered, np.eye(6, dtype=np.float32), logits)
    assert result["kinds"] == 3
    assert result["map"]["mean"] == 1
    assert result["class_of_three"]["mean"] == 1


def test_a_kind_lies_with_its_classes_and_away_from_its_namesake() -> None:
    torch.manual_seed(0)
    classes = torch.nn.functional.normalize(torch.randn(6, 512), dim=-1)
    bank = torch.nn.functional.normalize(
        classes.repeat(50, 1) + 0.05 * torch.randn(300, 512), dim=-1
    )
    plain, away = aims_of_kinds([kind(2), kind(2, against=3)], classes, bank)
    assert torch.nn.functional.cosine_similarity(plain, classes[2], dim=0) > 0.999
    assert away @ classes[3] < plain @ classes[3] - 0.05
    # Either scores the sounds of its class as high as the class does.
    assert float((bank @ away).max()) == pytest.approx(float((bank @ classes[2]).max()), rel=0.05)


def test_a_text_that_scores_sounds_as_its_aim_does_has_nothing_to_learn() -> None:
    torch.manual_seed(0)
    bank = torch.nn.functional.normalize(torch.randn(40, 512), dim=-1)
    aim = 0.5 * torch.nn.functional.normalize(torch.randn(1, 512), dim=-1)
    # Of unit length, the rest of it where no sound lies.
    _, _, space = torch.linalg.svd(bank)
    said = aim + space[-1] * (1 - aim.square().sum()).sqrt()
    said = said / said.norm()
    lessons = Lessons(["a"], aim, torch.zeros(1, 768), np.ones(1), bank, np.array([-1]))
    result = losses(said, torch.zeros(1, 768), np.array([0]), lessons, bank)
    assert float(result["scores"]) < 1e-3
    assert float(result["among"]) < 1e-2
    assert float(result["likeness"]) == 0
    other = losses(-said, torch.zeros(1, 768), np.array([0]), lessons, bank)
    assert float(other["scores"]) > 10 * float(result["scores"])


def four_texts() -> Lessons:
    """The names of two classes, and two other texts."""
    torch.manual_seed(0)
    own = torch.nn.functional.normalize(torch.randn(4, 512), dim=-1)
    bank = torch.nn.functional.normalize(torch.randn(40, 512), dim=-1)
    texts = ["dogs barking", "cats meowing", "tyre screech", "colour printer"]
    names = np.array([0, -1, 1, -1])
    return Lessons(texts, own, torch.zeros(4, 768), np.full(4, 0.25), bank, names)


def test_names_are_compared_with_each_other_and_nothing_else_is() -> None:
    lessons = four_texts()
    spoken = lessons.aims_of_names().clone()
    rows = np.arange(4)
    assert float(class_loss(lessons.own, rows, lessons, lessons.bank, spoken)) < 1e-6
    said = lessons.own.clone()
    said[0] *= 3  # its highest scores are lifted above those of the other name
    said.requires_grad_()
    loss = class_loss(said, rows, lessons, lessons.bank, spoken)
    loss.backward()
    assert float(loss.detach()) > 0.01
    assert said.grad is not None
    assert said.grad.norm(dim=1)[[1, 3]].tolist() == [0, 0]
    assert float(said.grad[0] @ lessons.own[0]) > 0  # a step against it makes the name shorter
    assert torch.equal(spoken[0], said[0].detach())
    # With the other name alone in the batch, the first counts as it was last said.
    alone = class_loss(lessons.own[[2]], np.array([2]), lessons, lessons.bank, spoken)
    assert float(alone) > 0.01
    assert float(class_loss(lessons.own[[1]], np.array([1]), lessons, lessons.bank, spoken)) == 0


def test_names_are_drawn_as_they_are_and_other_texts_reworded() -> None:
    lessons = four_texts()
    rows, texts = draw(lessons, 400, np.random.default_rng(0))
    plain = [text.removeprefix("this is a sound of ") for text in texts]
    named = [lessons.names[row] >= 0 for row in rows]
    assert {t for t, name in zip(plain, named, strict=True) if name} == {
        "dogs barking",
        "tyre screech",
    }
    assert len(set(plain)) > 40


def test_only_the_last_layers_learn() -> None:
    transformers = pytest.importorskip("transformers", reason="MiniLM is a transformer")
    shape = {"hidden_size": 384, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 50}
    language = transformers.BertModel(transformers.BertConfig(intermediate_size=64, **shape))
    speaker = Speaker(language, TextHead(), layers=1)
    learning = {
        n.split(".")[2] for n, p in speaker.named_parameters() if p.requires_grad if "layer" in n
    }
    assert learning == {"layer"}
    moved = [n for n, p in speaker.language.named_parameters() if p.requires_grad]
    assert moved
    assert all(name.startswith("encoder.layer.2.") for name in moved)
