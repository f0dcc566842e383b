"""Vectors: their stored form, the FAISS cache beside the database, and nearest-window search,
there or in PostgreSQL.

All vectors are float32 of unit length, and their inner product (the cosine) compares them. The
database stores them as float16.
"""
