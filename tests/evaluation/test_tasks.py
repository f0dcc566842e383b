"""The readers of public tasks, on stand-ins with the real names, folders and metadata files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from audiosearch.evaluation.datasets import DatasetError
from audiosearch.evaluation.task import Task, all_tasks
from audiosearch.evaluation.task_run import read_task, run_task
from audiosearch.models.registry import load_model
from tests.e2e.conftest import tone, write

TASKS = all_tasks()
# (name of the file, split, classes, group)
Expected = set[tuple[str, str, frozenset[str], str]]


def sounds(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def esc50(root: Path) -> None:
    text(
        root / "meta" / "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take",
        "1-100032-A-0.wav,1,0,dog,True,100032,A",
        "5-9032-A-0.wav,5,12,crackling_fire,True,9032,A",
    )
    sounds(root / "audio", "1-100032-A-0.wav", "5-9032-A-0.wav")


def urbansound8k(root: Path) -> None:
    text(
        root / "metadata" / "UrbanSound8K.csv",
        "slice_file_name,fsID,start,end,salience,fold,classID,class",
        "100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark",
    )
    sounds(root / "audio" / "fold5", "100032-3-0-0.wav")


def fsd50k(root: Path) -> None:
    truth = root / "FSD50K.ground_truth"
    text(truth / "eval.csv", "fname,labels,mids", '37199,"Electric_guitar,Guitar","/m/1,/m/2"')
    text(
        truth / "dev.csv",
        "fname,labels,mids,split",
        '64760,"Rain",/m/3,train',
        '16399,"Purr,Cat",/m/4,val',
    )
    sounds(root, "FSD50K.eval_audio/37199.wav", "FSD50K.dev_audio/64760.wav")


def dcase17(root: Path) -> None:
    text(
        root / "groundtruth_weak_label_testing_set.csv",
        "-5QrBL6MzLg_60.000_70.000.wav\t60.000\t70.000\tTrain horn",
        "-5QrBL6MzLg_60.000_70.000.wav\t60.000\t70.000\tTrain",
    )
    text(
        root / "groundtruth_weak_label_training_set.csv",
        "-8baTnilyjs_30.000_40.000.wav\t30.000\t40.000\tAir horn, truck horn",
    )
    sounds(root / "audio", "Y-5QrBL6MzLg_60.000_70.000.wav", "-8baTnilyjs_30.000_40.000.wav")


def audioset(root: Path) -> None:
    text(
        root / "class_labels_indices.csv",
        "index,mid,display_name",
        '0,/m/09x0r,"Speech"',
        '17,/m/0284vy3,"Train horn"',
    )
    head = "# Segments csv created Sun Mar  5 10:54:31 2017", "# YTID, start_seconds, ..."
    text(
        root / "eval_segments.csv",
        *head,
        '--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/m/0284vy3"',
        '--gone, 0.000, 10.000, "/m/09x0r"',
    )
    text(root / "balanced_train_segments.csv", *head, '--PJHxphWEs, 30.000, 40.000, "/m/09x0r"')
    sounds(root, "eval_segments/Y--4gqARaEJE.wav", "balanced/--PJHxphWEs_30.000.wav")


def gtzan_music_speech(root: Path) -> None:
    sounds(root, "music_wav/bagpipe.wav", "music_wav/ballad.wav", "speech_wav/acomic.wav")


def gtzan_genres(root: Path) -> None:
    sounds(root, "blues/blues.00042.wav", "hiphop/hiphop.00000.wav", "bextract.mf", "blues/x.wav")


def mridangam(root: Path) -> None:
    sounds(root, "B/224030__akshaylaya__bheem-b-001.wav", "Csh/225359__akshaylaya__cha-csh-033.wav")


def beijing_opera(root: Path) -> None:
    sounds(root, "125717__ajaysm__bangu-10.wav", "125800__ajaysm__xiaoluo-3.wav")


def tut17(root: Path) -> None:
    text(
        root / "meta.txt",
        "audio/b020_90_100.wav\tbeach\tb020",
        "audio/a031_0_10.wav\tcafe/restaurant\ta031",
    )
    for fold in "1234":
        text(root / "evaluation_setup" / f"fold{fold}_evaluate.txt", *{
            "1": ["audio/b020_90_100.wav\tbeach"], "3": ["audio/a031_0_10.wav\tcafe/restaurant"],
        }.get(fold, []))  # fmt: skip


def crema_d(root: Path) -> None:
    sounds(root / "AudioWAV", "1001_DFA_ANG_XX.wav", "1091_WSI_SAD_HI.wav")


def ravdess(root: Path) -> None:
    sounds(root, "Actor_12/03-01-06-01-02-01-12.wav", "Actor_01/03-02-01-01-01-01-01.wav")


def speech_commands(root: Path) -> None:
    train, test = "speech_commands_v0.02", "speech_commands_test_set_v0.02"
    text(root / train / "validation_list.txt", "yes/0ab3b47d_nohash_0.wav")
    text(root / train / "testing_list.txt", "bed/0c40e715_nohash_0.wav")
    sounds(root / train, "yes/0ab3b47d_nohash_0.wav", "bed/0c40e715_nohash_0.wav")
    sounds(root / train, "bed/00176480_nohash_0.wav", "_background_noise_/running_tap.wav")
    sounds(root / test, "down/0a2b400e_nohash_0.wav", "_unknown_/abc_nohash_1.wav")
    sounds(root / test, "_silence_/0.wav")


def vocalsound(root: Path) -> None:
    for part, name in (("te", "f0003_0_throatclearing"), ("tr", "m0004_1_cough")):
        entry = {"wav": f"/data/audio_16k/{name}.wav", "labels": "/m/01b_21"}
        text(root / "datafiles" / f"{part}.json", json.dumps({"data": [entry]}))
        sounds(root / "audio_16k", f"{name}.wav")


def libricount(root: Path) -> None:
    sounds(root / "test", "0_10.wav", "10_4.wav", "1_7.wav")


def clotho(root: Path) -> None:
    header = "file_name," + ",".join(f"caption_{number}" for number in range(1, 6))
    text(root / "clotho_captions_evaluation.csv", header, "Rain on roof.wav,a,b,c,d,e")


def audiocaps(root: Path) -> None:
    text(
        root / "test.csv",
        "audiocap_id,youtube_id,start_time,caption",
        "1,abc,30,a dog barks",
        "2,abc,30,a dog is barking",
    )
    sounds(root, "test/Yabc.wav")


def of(*classes: str) -> frozenset[str]:
    return frozenset(classes)


STAND_INS: dict[str, tuple[Callable[[Path], None], Expected]] = {
    "esc50": (esc50, {
        ("1-100032-A-0.wav", "1", of("dog"), "100032"),
        ("5-9032-A-0.wav", "5", of("crackling fire"), "9032"),
    }),
    "urbansound8k": (urbansound8k, {("100032-3-0-0.wav", "5", of("dog bark"), "100032")}),
    "fsd50k": (fsd50k, {
        ("37199.wav", "test", of("Electric guitar", "Guitar"), ""),
        ("64760.wav", "train", of("Rain"), ""),
        ("16399.wav", "valid", of("Purr", "Cat"), ""),
    }),
    "dcase17": (dcase17, {
        ("Y-5QrBL6MzLg_60.000_70.000.wav", "test", of("Train horn", "Train"), ""),
        ("-8baTnilyjs_30.000_40.000.wav", "train", of("Air horn, truck horn"), ""),
    }),
    "audioset": (audioset, {
        ("Y--4gqARaEJE.wav", "test", of("Speech", "Train horn"), ""),
        ("--PJHxphWEs_30.000.wav", "train", of("Speech"), ""),
    }),
    "gtzan-music-speech": (gtzan_music_speech, {
        ("bagpipe.wav", "1", of("music"), ""),
        ("ballad.wav", "2", of("music"), ""),
        ("acomic.wav", "1", of("speech"), ""),
    }),
    "gtzan-genres": (gtzan_genres, {
        ("blues.00042.wav", "3", of("blues"), ""),
        ("hiphop.00000.wav", "1", of("hip hop"), ""),
    }),
    "mridangam-stroke": (mridangam, {
        ("224030__akshaylaya__bheem-b-001.wav", "1", of("bheem"), ""),
        ("225359__akshaylaya__cha-csh-033.wav", "2", of("cha"), ""),
    }),
    "mridangam-tonic": (mridangam, {
        ("224030__akshaylaya__bheem-b-001.wav", "1", of("B"), ""),
        ("225359__akshaylaya__cha-csh-033.wav", "2", of("C sharp"), ""),
    }),
    "beijing-opera": (beijing_opera, {
        ("125717__ajaysm__bangu-10.wav", "1", of("bangu"), ""),
        ("125800__ajaysm__xiaoluo-3.wav", "2", of("xiaoluo"), ""),
    }),
    "tut17": (tut17, {
        ("b020_90_100.wav", "1", of("beach"), "b020"),
        ("a031_0_10.wav", "3", of("cafe or restaurant"), "a031"),
    }),
    "crema-d": (crema_d, {
        ("1001_DFA_ANG_XX.wav", "2", of("angry"), "1001"),
        ("1091_WSI_SAD_HI.wav", "2", of("sad"), "1091"),
    }),
    "ravdess": (ravdess, {("03-01-06-01-02-01-12.wav", "3", of("fearful"), "12")}),
    "speech-commands": (speech_commands, {
        ("0a2b400e_nohash_0.wav", "test", of("down"), "0a2b400e"),
        ("abc_nohash_1.wav", "test", of("an unknown word"), "abc"),
        ("0.wav", "test", of("silence"), "0"),
        ("0ab3b47d_nohash_0.wav", "valid", of("yes"), "0ab3b47d"),
        ("00176480_nohash_0.wav", "train", of("an unknown word"), "00176480"),
        ("running_tap.wav", "train", of("silence"), "running_tap"),
    }),
    "vocalsound": (vocalsound, {
        ("f0003_0_throatclearing.wav", "test", of("throat clearing"), "f0003"),
        ("m0004_1_cough.wav", "train", of("cough"), "m0004"),
    }),
    "libricount": (libricount, {
        ("0_10.wav", "1", of("no speakers"), ""),
        ("10_4.wav", "2", of("10 speakers"), ""),
        ("1_7.wav", "3", of("1 speaker"), ""),
    }),
    "clotho": (clotho, {("Rain on roof.wav", "test", of(), "")}),
    "audiocaps": (audiocaps, {("Yabc.wav", "test", of(), "")}),
}  # fmt: skip


def test_every_task_has_a_stand_in() -> None:
    assert TASKS.keys() == STAND_INS.keys()
    assert len(TASKS) == 18  # the paper's sixteen classifications and two retrievals


@pytest.mark.parametrize("name", STAND_INS)
def test_reader(name: str, tmp_path: Path) -> None:
    task, (make, expected) = TASKS[name], STAND_INS[name]
    assert task.root(tmp_path) is None
    root = tmp_path / task.folders[0]
    make(root)
    assert task.root(tmp_path) == task.root(root) == root
    items = read_task(task, root).items
    assert {(i.path.name, i.split, frozenset(i.classes), i.group) for i in items} == expected
    measured = read_task(task, root, with_head=False).items
    assert {i.split for i in measured} & {"train", "valid"} == set()
    assert all(root in item.path.parents for item in items)
    if task.metric == "retrieval":
        assert items[0].captions


@pytest.mark.parametrize("name", STAND_INS)
def test_what_a_task_says_of_itself(name: str) -> None:
    task = TASKS[name]
    assert task.source.startswith("http")
    assert task.size
    assert task.licence
    assert "{}" in task.prompt
    assert (task.metric == "mAP") == task.multi
    assert (task.zero_shot is None) == (task.metric == "retrieval")


def test_a_dataset_of_the_task_is_no_longer_than_60_lines() -> None:
    from audiosearch.evaluation import tasks

    for file in Path(tasks.__path__[0]).glob("*.py"):
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 60, file


def folds_of_tones(root: Path) -> Task:
    """Make ESC-50's layout of eight tones, low ones and high ones, in two folds."""
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for number in range(8):
        low = number % 2
        name = f"{number // 4 + 1}-{number}-A-{low}.wav"
        write(root / "audio" / name, tone((100, 3_000)[low] * (1 + number / 30), 0.3))
        rows.append(f"{name},{number // 4 + 1},0,{('mouse', 'dog')[low]},True,{number},A")
    text(root / "meta" / "esc50.csv", *rows)
    return TASKS["esc50"]


def test_zero_shot_and_head(tmp_path: Path) -> None:
    task = folds_of_tones(tmp_path)
    result = run_task(task, read_task(task, tmp_path), load_model())
    assert (result.sounds, result.classes, result.left_out) == (8, 2, 0)
    assert result.head
    assert result.head.value == 1.0  # pitch tells them apart, names do not
    assert 0 <= result.zero_shot.interval[0] <= result.zero_shot.interval[1] <= 1
    few = read_task(task, tmp_path, limit=2)
    assert [item.split for item in few.items] == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("name", "damage", "match"),
    [
        (
            "crema-d",
            lambda root: sounds(root / "AudioWAV", "odd.wav"),
            "not in the layout of CREMA",
        ),
        ("tut17", lambda root: (root / "meta.txt").unlink(), "TUT 2017 at .*meta.txt: No such"),
        ("vocalsound", lambda root: text(root / "datafiles" / "te.json", "{"), "not in the layout"),
    ],
)
def test_damaged(name: str, damage: Callable[[Path], None], match: str, tmp_path: Path) -> None:
    STAND_INS[name][0](tmp_path)
    damage(tmp_path)
    with pytest.raises(DatasetError, match=match):
        read_task(TASKS[name], tmp_path)
