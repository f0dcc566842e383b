"""The search of a library that another process serves: the client, and the keys that admit it."""
