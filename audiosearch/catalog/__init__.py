"""The catalog: everything a library knows, in one SQLite database.

SQLite is the truth; the FAISS file beside it is a cache of the `windows` table (see
`audiosearch.vectors`).
"""
