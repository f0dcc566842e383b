"""Vectors: their stored form, the FAISS cache beside the database, and nearest-window search.

All vectors are float32, unit length, compared by inner product (their cosine); stored, they are
float16.
"""
