"""What a training run is asked for, and what it may say on its way. No heavy imports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from audiosearch.errors import AudioSearchError, InvalidQuery

FREEZE = ("none", "audio", "text", "both-but-projections")
AUGMENT = ("none", "plain", "full")
PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda")


class TrainingFailed(AudioSearchError):
    """The run cannot begin or go on. The message says why, and what to do."""


@dataclass(frozen=True)
class Options:
    """The settings of a run. Shares are parts of all sounds, times are in seconds.

    `start` names a bundle, a `ClapModel` directory or an MS-CLAP file, whose `tokenizer` is in a
    directory, or on the hub. With `scratch` its weights
    are drawn anew. `freeze` names the trunks that do not learn; projections and temperature always
    do. `rate` is the learning rate of projections; trunks have a tenth of it, or all of it with
    `scratch`. `micro_batch` is the number of pairs that go through the towers at once: the loss is
    always over the whole `batch`. `held_out` chooses the epoch, `test` measures before and after.
    """

    run: Path
    start: str = "mini"
    scratch: bool = False
    freeze: str = "none"
    epochs: int = 20
    batch: int = 64
    micro_batch: int | None = None
    rate: float = 1e-3
    held_out: float = 0.1
    test: float = 0.2
    patience: int = 5
    augment: str = "plain"
    precision: str = "auto"
    device: str = "auto"
    longest: float = 60.0
    seed: int = 0
    name: str | None = None
    tokenizer: str | None = None
    command: str = ""

    def __post_init__(self) -> None:
        rules = {
            f"freeze must be one of {', '.join(FREEZE)}": self.freeze in FREEZE,
            f"augment must be one of {', '.join(AUGMENT)}": self.augment in AUGMENT,
            f"precision must be one of {', '.join(PRECISIONS)}": self.precision in PRECISIONS,
            f"device must be one of {', '.join(DEVICES)}": self.device in DEVICES,
            "epochs must be 1 or more": self.epochs >= 1,
            "a batch must be 2 pairs or more": self.batch >= 2,
            "a micro-batch must be 1 pair or more": self.micro_batch is None
            or self.micro_batch >= 1,
            "the learning rate must be above 0 and at most 1": 0 < self.rate <= 1,
            "held-out and test shares must be above 0 and together below 0.9": (
                0 < self.held_out < 1 and 0 < self.test < 1 and self.held_out + self.test < 0.9
            ),
            "patience must be 1 or more epochs": self.patience >= 1,
            "longest must be above 0 seconds": 0 < self.longest < math.inf,
            "scratch trains everything: leave out freeze": not self.scratch
            or self.freeze == "none",
        }
        for rule, holds in rules.items():
            if not holds:
                raise InvalidQuery(rule)


class Progress:
    """What a run tells its caller; this one keeps silent."""

    def tell(self, line: str) -> None:
        """A notice of one line."""

    def begin(self, phase: str, total: int, done: int = 0) -> None:
        """`phase` begins; `total` calls of `advance` end it, of which `done` are behind."""

    def advance(self, figures: str = "") -> None:
        """One sound, or one step with its `figures`."""
