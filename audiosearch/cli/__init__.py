"""The command line. One file for each command; nothing here that the library lacks.

stdout is data, stderr is talk. Exit codes: 0 done, 1 an error that the user can mend, 2 a wrong
command line, 130 interrupted.
"""

from audiosearch.cli.main import main

__all__ = ["main"]
