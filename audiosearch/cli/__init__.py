"""The command line. Each command has a file of its own, and adds nothing that the library lacks.

stdout is data, stderr is talk. Exit codes: 0 done, 1 an error that the user can repair, 2 a wrong
command line, 130 interrupted.
"""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from audiosearch.cli.main import main as run

        run()
    except KeyboardInterrupt:  # Ctrl-C came while Python loaded modules
        sys.exit(130)
    finally:
        # The command has ended. Ctrl-C while Python closes would print a traceback of its handlers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
