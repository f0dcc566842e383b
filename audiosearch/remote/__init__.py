"""Searching a library that another process serves: the client, and the keys that let it in."""
