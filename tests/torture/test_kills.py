"""Short form of `kills`, and disks that are full, read-only or failing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import kills


@pytest.mark.parametrize(
    ("number", "count"), [(signal.SIGKILL, 10), (signal.SIGTERM, 3), (signal.SIGINT, 3)]
)
def test_killed_at_random_moments(tmp_path: Path, number: int, count: int) -> None:
    counts = kills.rounds(tmp_path, count, seed=number, number=number)
    assert counts.rounds == count
    assert counts.hit > 0
    assert counts.faults == []


def test_interrupt_twice_stops_at_once(tmp_path: Path) -> None:
    kills.make_sounds(tmp_path / "in")
    process = subprocess.Popen(
        [kills.COMMAND, "index", "-L", tmp_path / "library", tmp_path / "in"],
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "library" / "writer.json").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in talk
    assert kills.run("doctor", "-L", tmp_path / "library").returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    kills.make_sounds(tmp_path / "in", 600)
    library = small_disk / "library"
    ran = kills.run("index", "-L", library, tmp_path / "in", check=False)
    assert ran.returncode == 1
    assert len(ran.stderr.strip().splitlines()) == 1
    assert "full" in ran.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert kills.run("doctor", "-L", library, check=False).returncode == 0
    kept = len(kills.says(library))
    kills.run("index", "-L", library, tmp_path / "in")
    kills.run("index", "-L", tmp_path / "undisturbed", tmp_path / "in")
    assert kills.says(library) == kills.says(tmp_path / "undisturbed")
    assert kept < len(kills.says(library))


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After FAIL_AFTER writes to a file whose path holds FAIL_IN, writes to it fail with EIO. */
static int fails(int fd) {
  static int seen;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  if (!strstr(path, getenv("FAIL_IN"))) return 0;
  return __sync_add_and_fetch(&seen, 1) > atoi(getenv("FAIL_AFTER"));
}
#define WRITER(name, params, args) \
  ssize_t name params { \
    static ssize_t (*real) params; \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    if (fails(fd)) { errno = EIO; return -1; } \
    return real args; \
  }
WRITER(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITER(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITER(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  if (fails(fd)) { errno = EIO; return -1; }
  return real(fd);
}
"""


@pytest.mark.parametrize("after", [0, 3, 9, 25, 60])
def test_disk_that_fails(tmp_path: Path, after: int) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("there is no C compiler to make a failing disk with")
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "shim.c", "-ldl"], check=True
    )
    kills.make_sounds(tmp_path / "in")
    library = tmp_path / "library"
    failing = {"LD_PRELOAD": str(shim), "FAIL_IN": str(library), "FAIL_AFTER": str(after)}
    ran = subprocess.run(
        [kills.COMMAND, "index", "-L", library, tmp_path / "in"],
        env={**os.environ, **failing},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 1, ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    kills.run("index", "-L", library, tmp_path / "in")
    kills.run("index", "-L", tmp_path / "undisturbed", tmp_path / "in")
    assert kills.says(library) == kills.says(tmp_path / "undisturbed")
    assert kills.run("doctor", "-L", library).returncode == 0
