"""The loop: epochs, early stopping, checkpoints that go on with the same bits.

It is a loop of our own, and not transformers' Trainer: the loss is over a whole batch whatever fits
the device (`steps`), what a sound gives is a matter of seed and epoch (`batches`), so that a
checkpoint needs no state of a random generator, and towers of three kinds are trained alike. What
is learnt is a `Lesson`: pairs by contrast (`contrast`), or the classes of a task (`classes`).

A checkpoint holds weights, the optimiser's state and the log; the best epoch's weights lie beside
it. Time decides when one is written, never what is in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from audiosearch.training import checkpoint
from audiosearch.training.options import Options, Progress, TrainingFailed
from audiosearch.training.steps import descend
from audiosearch.training.trainee import Trainee

LAST, BEST = "last.safetensors", "best.safetensors"
_SAVE_SECONDS = 60.0
_WARM = 0.05  # of all steps


@dataclass
class State:
    """Where a run stands: `step` of all steps; `epochs` has a row of figures for each that ended.

    `sum` is the loss of the epoch so far. `micro` is the number of sounds that fit at once.
    """

    step: int = 0
    sum: float = 0.0
    micro: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    epochs: list[dict[str, float]] = field(default_factory=list)


class Lesson(Protocol):
    """What is learnt, and what an epoch is chosen by.

    Where numbers are none any more, or one sound does not fit the device, an error says what to do:
    `if_broken`, `if_full`.
    """

    @property
    def if_broken(self) -> str: ...

    @property
    def if_full(self) -> str: ...

    def plan(self, epoch: int) -> list[np.ndarray]:
        """The batches of an epoch, as places among what is learnt."""

    def batch(self, epoch: int, places: np.ndarray) -> Any:
        """Draw a batch: the same for the same epoch and places."""

    def backward(self, batch: Any, micro: int, seed: int) -> float:
        """Add the gradient of the batch to the weights, `micro` sounds at once; return the loss."""

    def measure(self) -> float:
        """The mAP of what is held out, in [0, 1]."""


class Loop:
    """Training of `trainee` by a lesson, on a device."""

    def __init__(
        self,
        trainee: Trainee,
        lesson: Lesson,
        options: Options,
        *,
        device: str,
        progress: Progress,
        on_epoch: Callable[[State], object] = lambda state: None,
    ) -> None:
        self.trainee, self.lesson = trainee, lesson
        self.options, self.progress = options, progress
        self.device, self.on_epoch = device, on_epoch
        self.last, self.best = options.run / LAST, options.run / BEST
        self.state = State(micro=min(options.micro_batch or options.batch, options.batch))
        trainee.freeze(options.freeze)
        self.stepper = torch.optim.AdamW(
            trainee.groups(options.rate), lr=options.rate, betas=(0.9, 0.98), foreach=False
        )
        self._whole = False  # whether weights and state are of one moment, and can be kept
        self.per_epoch = len(lesson.plan(1))
        self.steps = self.per_epoch * options.epochs

    def run(self) -> State:
        """Train until no epoch has been better for so long, and leave the best weights in place.

        Raises `TrainingFailed` where the loss is no number, or one sound does not fit the device.
        """
        if self.last.is_file():
            self._resume()
            self._whole = True
        else:
            self._end_epoch(0, None)
        self.progress.begin("training", self.steps, self.state.step)
        saved = time.monotonic()
        try:
            while not self._enough():
                epoch, place = divmod(self.state.step, self.per_epoch)
                self._step(epoch + 1, place)
                if place + 1 == self.per_epoch:
                    self._end_epoch(epoch + 1, self.state.sum / self.per_epoch)
                if time.monotonic() - saved > _SAVE_SECONDS:
                    self._save()
                    saved = time.monotonic()
        finally:
            if self._whole:
                self._save()
        weights, _ = checkpoint.load(self.best)
        self.trainee.load(weights, self.best)
        return self.state

    def _enough(self) -> bool:
        waited = len(self.state.epochs) - 1 - self.state.best_epoch
        return self.state.step >= self.steps or waited >= self.options.patience

    def _step(self, epoch: int, place: int) -> None:
        state = self.state
        places = self.lesson.plan(epoch)[place]
        batch = self.lesson.batch(epoch, places)
        factor = schedule(state.step / self.steps)
        for group in self.stepper.param_groups:
            group["lr"] = group["full"] * factor
        self.trainee.learn(True)
        # From scratch, norms count what passes them: half a step would count it twice.
        self._whole = not self.trainee.scratch
        loss = self._gradient(
            batch, len(places), (self.options.seed * 1_000_003 + state.step) * 1_009
        )
        weights = [weight for group in self.stepper.param_groups for weight in group["params"]]
        whole, self._whole = self._whole, False
        if not math.isfinite(loss) or not descend([self.stepper], weights, 1.0):
            self._whole = whole
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise TrainingFailed(
                f"the {what} is no number any more at step {state.step + 1}: "
                f"{self.lesson.if_broken}; the best weights before it are in {self.best}"
            )
        state.step += 1
        state.sum += loss
        # An epoch's last step is whole once the epoch is measured.
        self._whole = place + 1 < self.per_epoch
        self.progress.advance(f"epoch {epoch}, loss {state.sum / (place + 1):.3f}")

    def _gradient(self, batch: Any, size: int, seed: int) -> float:
        """The loss, with as many sounds at once as fit: half as many where they do not."""
        while True:
            self.stepper.zero_grad(set_to_none=True)
            micro = min(self.state.micro, size)
            try:
                return self.lesson.backward(batch, micro, seed)
            except RuntimeError as error:
                if not _is_full(error):
                    raise
                if micro == 1:
                    raise TrainingFailed(
                        f"one sound at a time does not fit the memory of {self.device}: "
                        f"{self.lesson.if_full}"
                    ) from error
            self.state.micro = micro // 2
            if self.device == "cuda":
                torch.cuda.empty_cache()
            self.progress.tell(
                f"{micro} sounds at once do not fit the memory of {self.device}: going on with "
                f"{self.state.micro} at once; the loss is over the whole batch as before"
            )

    def _end_epoch(self, epoch: int, loss: float | None) -> None:
        state = self.state
        figure = self.lesson.measure()
        row = {"epoch": epoch, "held_out_map": figure}
        if loss is not None:
            row["loss"] = loss
        row["temperature"] = float(self.trainee.scale.detach().neg().exp())
        state.epochs.append(row)
        state.sum = 0.0
        if figure > state.best:
            state.best, state.best_epoch = figure, epoch
            checkpoint.save(self.best, self.trainee.weights(), {"epoch": epoch})
        self._whole = True
        self.on_epoch(state)

    def _save(self) -> None:
        tensors = self.trainee.weights()
        for number, kept in self.stepper.state_dict()["state"].items():
            tensors |= {f"stepper.{number}.{name}": value for name, value in kept.items()}
        checkpoint.save(self.last, tensors, vars(self.state))

    def _resume(self) -> None:
        tensors, facts = checkpoint.load(self.last)
        kept = checkpoint.part_of(tensors, "stepper.")
        weights = {name: v for name, v in tensors.items() if not name.startswith("stepper.")}
        self.trainee.load(weights, self.last)
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in kept.items():
            number, _, part = name.partition(".")
            states.setdefault(int(number), {})[part] = value
        groups = self.stepper.state_dict()["param_groups"]
        self.stepper.load_state_dict({"state": states, "param_groups": groups})
        self.state = State(**facts)


def _is_full(error: RuntimeError) -> bool:
    """Whether a device's memory does not do; of a processor's torch has no error of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def schedule(progress: float) -> float:
    """The factor of the learning rate: up in a straight line, then down along a cosine."""
    if progress < _WARM:
        return (progress + 0.002) / _WARM
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM) / (1 - _WARM)))
