"""Heads: classifiers over the vectors of sounds, trained on a user's own labels.

`fit` learns, `calibration` turns scores into probabilities, `folds` keeps groups together,
`training` puts them in order, `head` predicts, and `scores` computes the probabilities of a
library's sounds. numpy is all that they need: a head is a small convex problem, and scikit-learn
with SciPy would add 180 MB to every install.
"""
