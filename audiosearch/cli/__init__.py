"""The command line. One file for each command; nothing here that the library lacks.

stdout is data, stderr is talk. Exit codes: 0 done, 1 an error that the user can mend, 2 a wrong
command line, 130 interrupted.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from audiosearch.cli.main import main as run

        run()
    except KeyboardInterrupt:  # while modules were being loaded
        sys.exit(130)
