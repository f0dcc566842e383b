"""The command line itself: pipes, closed and full streams, odd arguments, completion."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import COMMAND, SAMPLES, Shell, write
from tests.e2e.test_bad_input import one_line
from tests.effort import quick_first, thorough_only


def bash(shell: Shell, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line in bash, with `audiosearch` on the path and the shell's library as default."""
    values = {
        "AUDIOSEARCH_LIBRARY": str(shell.library),
        "PATH": f"{COMMAND.parent}:{shell.environment['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=shell.home,
        env=shell.environment | values | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    ("line", "output"),
    quick_first(
        [
            ("query rain -k 60 | head -1 | head -c 2", " #"),
            ("query rain -k 60 --json | head -c 10", '{"rank": 1'),
            ("query rain -k 60 --paths | head -c 1", "/"),
            ("query rain -k 60 -0 | head -c 1", "/"),
            ("query rain -k 60 --json 2>&1 | head -c 10", '{"rank": 1'),
            ("--help | true", ""),
            ("query --help | true", ""),
            ("--version | true", ""),
        ],
        quick=2,
    ),
)
def test_reader_that_has_seen_enough(sample_shell: Shell, line: str, output: str) -> None:
    """Exit 0 under pipefail, and not a word."""
    done = bash(sample_shell, f"audiosearch {line}")
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", quick_first(["", "--json", "--paths", "-0"]))
@pytest.mark.parametrize("target", [">/dev/full", ">&-"])
def test_stdout_that_takes_nothing(sample_shell: Shell, form: str, target: str) -> None:
    done = bash(sample_shell, f"audiosearch query rain {form} {target}")
    assert done.returncode == 1
    assert "standard output cannot be written" in one_line(done.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("target", quick_first(["2>/dev/full", "2>&-", "2> >(true)", "<&- 2>&-"]))
def test_stderr_that_takes_nothing(shell: Shell, target: str) -> None:
    """The work is done, the exit code says what it says; only the talk is lost."""
    write(shell.home / "in" / "a.wav")
    assert bash(shell, f"audiosearch index in {target}").returncode == 0
    assert set(shell.sounds()) == {"a.wav"}
    assert bash(shell, f"audiosearch status -L nowhere {target}").returncode == 1
    assert bash(shell, f"audiosearch query {target}").returncode == 2


@thorough_only
def test_all_streams_closed(sample_shell: Shell) -> None:
    """No file that the command opens becomes a standard stream."""
    done = bash(sample_shell, "audiosearch query rain <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert bash(sample_shell, "audiosearch doctor").returncode == 0


@thorough_only
def test_directory_that_was_removed(sample_shell: Shell, shell: Shell) -> None:
    write(shell.home / "in" / "a.wav")
    gone = f"cd $(mktemp -d) && rmdir $PWD && export AUDIOSEARCH_LIBRARY={shell.library};"
    done = bash(shell, f"{gone} audiosearch index {shell.home}/in")
    assert done.returncode == 0, done.stderr
    assert "1 added" in done.stderr
    assert "a.wav" in bash(shell, f"{gone} audiosearch query noise").stdout
    assert str(shell.home) in bash(shell, f"{gone} audiosearch status").stdout
    done = bash(shell, f"{gone} audiosearch index in")
    assert done.returncode == 1
    assert "directory was removed" in one_line(done.stderr)


EMPTY = [
    "index ''",
    "index in ''",
    'remove "$UNSET"',
    "remove -n ''",
    "status -L ''",
    "similar ''",
    "query --like ''",
    "query rain --unlike ''",
    "query rain --root ''",
    "classify '' --labels a,b",
    "export ''",
    "eval ''",
]


@pytest.mark.parametrize("line", quick_first(EMPTY, 2))
def test_empty_path(shell: Shell, line: str) -> None:
    write(shell.home / "in" / "a.wav")
    shell("index", shell.home / "in")
    done = bash(shell, f"audiosearch {line}")
    assert done.returncode == 1
    assert "path is empty" in one_line(done.stderr)
    assert set(shell.sounds()) == {"a.wav"}


@thorough_only
def test_home_of_nobody(shell: Shell) -> None:
    write(shell.home / "in" / "a.wav")
    for line in (
        "query rain -L '~nosuchuser/x'",
        "index in -L '~nosuchuser/x'",
        "index '~nosuchuser'",
    ):
        done = bash(shell, f"audiosearch {line}")
        assert done.returncode == 1
        assert "home" in one_line(done.stderr)
    done = bash(shell, "audiosearch status", AUDIOSEARCH_LIBRARY="~nosuchuser/x")
    assert "home" in one_line(done.stderr)
    assert not (shell.home / "~nosuchuser").exists()
    # A file may have such a name; and the home of somebody is found.
    write(shell.home / "~odd" / "b.wav")
    assert bash(shell, "audiosearch index '~odd'").returncode == 0
    assert bash(shell, "audiosearch query noise -L '~/library' --json").stdout.count("b.wav") == 1


@thorough_only
def test_arguments_that_are_not_utf8(shell: Shell) -> None:
    folder = os.fsencode(shell.home) + b"/latin-1 \xe9t\xe9"
    write(folder + b"/so\xefl.wav")
    shell("index", folder)
    queries: list[list[str | bytes]] = [
        ["similar", folder + b"/so\xefl.wav"],
        ["query", "--like", folder + b"/so\xefl.wav"],
        ["query", b"vent d'\xe9t\xe9"],
        ["query", "noise", "--root", folder],
        ["query", "noise", "--not", b"\xe9t\xe9"],
    ]
    for words in queries:
        assert shell(*words, "-0").out == folder + b"/so\xefl.wav\0"
    assert shell("remove", folder, "--paths", "-n").out == folder + b"/so\xefl.wav\n"
    # Usage errors name such an argument, and print it.
    assert shell("query", "rain", b"\xe9t\xe9", code=2).err
    assert shell("query", b"--\xe9t\xe9", code=2).err
    assert shell("query", "rain", "-k", b"\xe9", code=2).err
    assert shell(b"\xe9", library=False, code=2).err


@thorough_only
def test_repeated_options_and_negative_weights(sample_shell: Shell) -> None:
    both = sample_shell("query", "rain", "--format", "wav", "--format", "flac", "--json").objects
    assert {hit["format"] for hit in both} == {"wav", "flac"}
    scores = [
        sample_shell("query", "rain", *more, "-k", "1000", "--json").objects
        for more in ([], ["--term=-0.3:traffic"], ["--term=-0.3:traffic", "--term", "0.5:wind"])
    ]
    assert len({json.dumps(hits) for hits in scores}) == 3
    glued = sample_shell("query", "rain", "-k3", "-0").out.split(b"\0")[:-1]
    assert glued == sample_shell("query", "-0", "rain", "--results=3").out.split(b"\0")[:-1]
    assert len(glued) == 3
    assert sample_shell("query", "-k", "1", "--json", "--", "-dash").objects


def test_usage_errors(sample_shell: Shell) -> None:
    assert "query" in sample_shell("qurey", library=False, code=2).talk  # did you mean
    assert "--moments" in sample_shell("query", "rain", "--moment", code=2).talk
    assert "FILE" in sample_shell("similar", code=2).talk
    assert "extra" in sample_shell("status", "extra", code=2).talk
    assert "--labels" in sample_shell("classify", CAMPFIRE, library=False, code=2).talk
    assert "--rate" in sample_shell("serve", "--rate", "0", code=2).talk
    ran = sample_shell("query", code=2)
    assert (ran.out, "a TEXT, --like FILE, or both" in ran.talk) == (b"", True)


CAMPFIRE = SAMPLES / "fire" / "campfire.ogg"


def test_c_libraries_are_silent(sample_shell: Shell) -> None:
    """libmpg123 comments on tags that are odd but harmless."""
    files = sorted((SAMPLES / "animals").glob("*.mp3")) + sorted((SAMPLES / "weather").glob("*"))
    ran = sample_shell("classify", *files, "--labels", "a,b", "--json", library=False)
    assert (len(ran.objects), ran.err) == (len(files), b"")


def completions(shell: Shell, line: str) -> list[str]:
    """What bash offers at the end of a line. Not the last command, so that bash stays its parent."""
    words = [*line.split(), ""] if line.endswith(" ") else line.split()
    done = bash(
        shell,
        'eval "$(audiosearch --show-completion; true)";'
        f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1};"
        "_audiosearch_completion audiosearch; printf '%s\\n' \"${COMPREPLY[@]}\"",
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_completion(shell: Shell) -> None:
    assert completions(shell, "audiosearch que") == ["query"]
    assert {"index", "query", "serve"} <= set(completions(shell, "audiosearch "))
    assert completions(shell, "audiosearch query --min-d") == ["--min-duration"]
    assert completions(shell, "audiosearch models ch") == ["check"]
    assert set(completions(shell, "audiosearch keys make --scope ")) == {"read", "write"}
    assert completions(shell, "audiosearch similar ") == []  # bash offers files


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_installed(shell: Shell, name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [name, "-c", f"'{COMMAND}' --install-completion; true"],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{name} completion installed" in done.stdout
    texts = [file.read_text() for file in shell.home.rglob("*") if file.is_file()]
    assert any("_AUDIOSEARCH_COMPLETE" in text for text in texts)


@pytest.mark.parametrize(
    "line",
    quick_first(
        ["query noise --like", "query noise --unlike", "similar", "classify --labels dog,rain"]
    ),
)
def test_a_file_that_cannot_be_heard_is_named(
    sample_shell: Shell, line: str, tmp_path: Path
) -> None:
    words = line.split()
    library = words[0] != "classify"
    missing = sample_shell(*words, "nosuch.wav", code=1, library=library)
    assert missing.talk.strip() == "audiosearch: error: nosuch.wav: no such file or directory"
    text = tmp_path / "words.wav"
    text.write_text("not a sound, but some words that are long enough to be looked at")
    damaged = sample_shell(*words, text, code=1, library=library)
    assert damaged.talk.startswith(f"audiosearch: error: {text}: ")
