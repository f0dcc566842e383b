"""audiosearch: find sounds by describing what you hear."""

__version__ = "0.1.0"
