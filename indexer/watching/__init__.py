"""Watching folders: hints of changes, looks at folders, and what waits until it is complete."""
