"""Epochs and steps: what of a training every callback has to know."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.whole_numbers import check_whole


@dataclass
class Clock:
    """The epochs and steps of a training.

    `report_every` epochs are one epoch to Keras: a round, which ends in one
    row of metrics, one validation and one checkpoint.

    Args:
        epochs: Positive integer, the number of epochs in all.
        steps_per_epoch: Positive integer, the number of batches in an epoch.
        report_every: Positive integer, the number of epochs in a round.
        first_step: Integer, the number of steps of the round that an earlier
            part of the run has done. `fit` sets it before each part.

    Raises:
        ConfigError: If a number is not a positive integer.

    Example:
    >>> from toolkit.training import Clock
    >>> clock = Clock(epochs=10, steps_per_epoch=4, report_every=5)
    >>> clock.rounds, clock.steps, clock.epoch_at(1, 3)
    (2, 20, (5, 3))
    """

    epochs: int
    steps_per_epoch: int
    report_every: int = 1
    first_step: int = 0

    def __post_init__(self):
        check_whole("epochs", self.epochs, 1)
        check_whole("steps_per_epoch", self.steps_per_epoch, 1)
        check_whole("report_every", self.report_every, 1)

    @property
    def rounds(self) -> int:
        """The number of rounds in all."""
        return self.epochs // self.report_every

    @property
    def steps(self) -> int:
        """The number of steps in a round."""
        return self.steps_per_epoch * self.report_every

    def epochs_after(self, round_: int) -> int:
        """Returns the number of epochs done when a round (from 0) ends."""
        return (round_ + 1) * self.report_every

    def step_at(self, round_: int, batch: int) -> int:
        """Returns the number of steps done in all after a batch of a round.

        Args:
            round_: Integer, the round, from 0.
            batch: Integer, the batch of this part of the round, from 0.
        """
        return round_ * self.steps + self.first_step + batch + 1

    def epoch_at(self, round_: int, step: int) -> tuple[int, int]:
        """Returns the whole epochs done, and the steps of the next one.

        Args:
            round_: Integer, the number of whole rounds that are done.
            step: Integer, the number of steps done in the round after them.
        """
        more, rest = divmod(step, self.steps_per_epoch)
        return round_ * self.report_every + more, rest
