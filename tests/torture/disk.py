"""A disk that fails: from some write on, every write to the library gives EIO.

By a shared library between the program and the system's own, since a real failing disk needs a
kernel module.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.torture import kills

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


@dataclass(frozen=True)
class Rig:
    """A folder of sounds, what a library of them says, and the shim that makes disks fail."""

    work: Path
    shim: Path
    says: list[tuple[object, ...]]

    def fail_after(self, writes: int) -> str | None:
        """Index on a disk that fails after so many writes, then on one that works; what is wrong."""
        library = self.work / f"library-{writes}"
        failing = {"LD_PRELOAD": str(self.shim), "FAIL_IN": str(library), "FAIL_AFTER": str(writes)}
        ran = subprocess.run(
            [kills.COMMAND, "index", "-L", library, self.work / "in"],
            env={**os.environ, **failing},
            capture_output=True,
            text=True,
            check=False,
        )
        where = f"EIO after {writes} writes"
        # 0: it was done before the disk failed.
        if ran.returncode not in (0, 1) or (ran.returncode and ran.stderr.count("\n") != 1):
            return f"{where}: exit {ran.returncode}: {ran.stderr[-500:]}"
        kills.run("index", "-L", library, self.work / "in")
        if kills.says(library) != self.says:
            return f"{where}: the outcome differs from that of an undisturbed run"
        errors = kills.inconsistencies(library)
        return f"{where}: {errors}" if errors else None


def make_rig(work: Path) -> Rig | None:
    """Index the folder undisturbed. `None` where there is no compiler to make the shim with."""
    shim = _make_shim(work)
    if shim is None:
        return None
    kills.make_sounds(work / "in", 60)
    kills.run("index", "-L", work / "undisturbed", work / "in")
    return Rig(work, shim, kills.says(work / "undisturbed"))


def _make_shim(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        return None
    (folder / "shim.c").write_text(SHIM)
    shim = folder / "shim.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", shim, folder / "shim.c", "-ldl"], check=True
    )
    return shim
