"""The measurement of models: retrieval both ways and zero-shot classification, on your own sounds
or on public datasets in their own layouts.

`retrieval` and `zero_shot` are pure functions of score matrices; `datasets` reads; `measuring`
embeds the sounds and computes the figures; `bootstrap` gives intervals; `picture` draws a confusion
matrix.
"""
