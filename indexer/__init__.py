"""The write side of audiosearch: scan, decode, window, embed, store.

It builds on `audiosearch`; `audiosearch` imports it only inside the functions that write.
"""
