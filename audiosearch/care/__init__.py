"""The care of a library: its status, its examination, and its vectors for other programs."""
