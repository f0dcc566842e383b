"""Python loads this at its start where the folder is on PYTHONPATH: see `finder`."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).with_name("finder.py")))["install"]()
