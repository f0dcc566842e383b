"""Measuring models: retrieval both ways and zero-shot classification, on sounds of one's own or on the
layouts in which public datasets come.

`retrieval` and `zero_shot` are pure functions of score matrices; `datasets` reads; `run` embeds and
puts them together; `bootstrap` gives intervals; `picture` draws a confusion matrix.
"""
