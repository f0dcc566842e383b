"""What must survive: kills, full and failing disks, hostile files, and years of change.

Each module has a short form, which runs with the other tests, and `python -m tests.torture` runs the
long forms and prints their counts.
"""
