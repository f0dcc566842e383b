"""Does a bundle compute what was trained? Its vectors beside those of the towers, for unlike inputs."""

from __future__ import annotations

import numpy as np
import torch

from audiosearch.errors import ModelBroken
from audiosearch.models.bundle import AUDIO, TEXT
from audiosearch.models.model import UNLIKE_TEXTS, Model, unlike_sounds
from audiosearch.training.batches import Maker
from audiosearch.training.trainee import Trainee

# Of the distance between unlike inputs. Weights in 16 bits take a third of it.
_TOLERANCE = 3e-3


def check_agreement(model: Model, trainee: Trainee) -> None:
    """Raise `ModelBroken` where they differ, or where a tower has collapsed."""
    model.check()
    maker = Maker(trainee, "cpu", "none", 0)
    sounds = unlike_sounds(model.bundle)
    with torch.no_grad():
        audio = trainee.embed_pictures(maker.pictures(torch.from_numpy(sounds))).numpy()
        texts = [trainee.embed_tokens(*maker.tokens([t])).numpy()[0] for t in UNLIKE_TEXTS]
    pairs = {
        AUDIO: (model.embed_audio(sounds), audio),
        TEXT: (model.embed_text(UNLIKE_TEXTS), np.stack(texts)),
    }
    for name, (ours, theirs) in pairs.items():
        apart = float(np.linalg.norm(theirs[0] - theirs[1]))
        off = float(np.linalg.norm(ours - theirs, axis=1).max())
        if not off <= _TOLERANCE * apart:
            raise ModelBroken(
                f"the exported {name} is not what was trained: off by {off:.2g} where unlike inputs "
                f"are {apart:.2g} apart"
            )
