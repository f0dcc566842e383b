"""The training of models on pairs of sounds and texts, by contrast (CLAP, Elizalde et al. 2022,
arXiv 2206.04769).

`pairs` and `split` say what is learnt and what is measured; `decoded` holds the sounds; `trainee`
makes the towers of a model trainable; `loss`, `steps` and `loop` train them; `run` is the whole of
it, from a folder of sounds to a bundle. The room needs the extra ``train`` (torch, transformers);
only `run` and `options` can be imported without it.
"""
