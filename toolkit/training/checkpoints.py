"""The last and the best state of a run, on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import keras

from toolkit.errors import ConfigError, RunError
from toolkit.training.state import (
    PUT_BACK,
    OtherVersionError,
    load_state,
    previous,
    read_position,
    save_state,
)


@runtime_checkable
class Remembered(Protocol):
    """A callback whose state goes into checkpoints."""

    def state(self) -> Any:
        """Returns what has to be remembered, as JSON."""

    def restore(self, state: Any) -> None:
        """Takes back what `state` returned."""


class Checkpoints(keras.callbacks.Callback):
    """Saves the state after every epoch, and apart from it the best one.

    The position in a checkpoint is `{"epoch", "step", "callbacks"}`: whole
    epochs that are done, steps of the one after them, and what the callbacks
    remember: a list of `{"class", "state"}` in the order of the callbacks, so
    that two callbacks of one class keep apart.

    Args:
        directory: where `last.npz`, `last.previous.npz` and `best.npz` go.
        monitor: the quantity that tells the best epoch.
        mode: `max` if more is better, `min` if less is.
        remembered: `Remembered` callbacks, in the same order whenever the
            training is continued.
        patience: epochs without a better one after which training stops; 0
            never stops it.

    Raises:
        ConfigError: If `mode` is neither `max` nor `min`.
    """

    def __init__(
        self,
        directory: str | Path,
        monitor: str = "val_accuracy",
        mode: str = "max",
        remembered: Iterable[Remembered] = (),
        patience: int = 0,
    ):
        super().__init__()
        self.last = Path(directory) / "last.npz"
        self.best = Path(directory) / "best.npz"
        self.monitor = monitor
        if mode not in ("max", "min"):
            raise ConfigError(
                f'`mode` must be "max" or "min". Received: mode={mode!r}.'
            )
        self.sign = 1.0 if mode == "max" else -1.0
        self.remembered = (self, *remembered)
        self.patience = patience
        self.best_value = -math.inf
        self.best_epoch: int | None = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes the checkpoints."""
        value = (logs or {}).get(self.monitor)
        better = value is not None and self.sign * value > self.best_value
        if better:
            self.best_value = self.sign * float(value)
            self.best_epoch = epoch + 1
        position = self.position(epoch + 1, 0)
        if better:
            save_state(self.best, self.model, position)
        save_state(self.last, self.model, position, keep_previous=True)
        if self.exhausted(epoch + 1):
            self.model.stop_training = True

    def exhausted(self, epochs: int) -> bool:
        """Returns whether the best of `epochs` epochs is too long ago."""
        return bool(
            self.patience and epochs - (self.best_epoch or 0) >= self.patience
        )

    def save(self, epoch: int, step: int) -> None:
        """Writes `last.npz` in the middle of an epoch.

        Args:
            epoch: whole epochs that are done.
            step: steps of the next one that are done.
        """
        save_state(
            self.last,
            self.model,
            self.position(epoch, step),
            keep_previous=True,
        )

    def position(self, epoch: int, step: int) -> dict[str, Any]:
        """Returns what a checkpoint says of where the run stands."""
        return {
            "epoch": epoch,
            "step": step,
            "callbacks": [
                {"class": type(callback).__name__, "state": callback.state()}
                for callback in self.remembered
            ],
        }

    def state(self) -> dict[str, Any]:
        """Returns what has to be remembered, as JSON."""
        known = self.best_epoch is not None
        return {
            "best_value": self.best_value if known else None,
            "best_epoch": self.best_epoch,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what `state` returned."""
        self.best_epoch = state["best_epoch"]
        if self.best_epoch is not None:
            self.best_value = state["best_value"]

    def newest(self) -> tuple[Path, str] | None:
        """Returns the newest whole checkpoint; None if there is none at all.

        Returns:
            The file, and why a newer one was passed over (or nothing).

        Raises:
            OtherVersionError: If another version of this toolkit wrote one.
            RunError: If there are files, and none is whole.
        """
        problem = ""
        found = [p for p in (self.last, previous(self.last)) if p.exists()]
        for path in found:
            try:
                self._check(path, read_position(path))
            except OtherVersionError:
                raise  # it is whole
            except RunError as error:
                problem = problem or str(error)
            else:
                return path, problem.removesuffix(f" {PUT_BACK}")
        if found:
            raise RunError(problem)
        return None

    def _check(self, path: Path, position: Any) -> None:
        """Raises `RunError` unless a position is one of this class."""
        keys = {"epoch": int, "step": int, "callbacks": list | dict}
        for key, kind in keys.items():
            if not isinstance(position, dict) or not isinstance(
                position.get(key), kind
            ):
                raise RunError(
                    f'The checkpoint "{path}" does not say where the run '
                    f"stands: `{key}` is missing. {PUT_BACK}"
                )

    def resume(self, path: Path, model: keras.Model) -> dict[str, Any]:
        """Puts a checkpoint into model and callbacks; returns the position.

        Raises:
            RunError: If the checkpoint is missing, damaged, of another model,
                or of other callbacks than there are now.
        """
        states = self._states(path, read_position(path)["callbacks"])
        position = load_state(path, model)
        for callback, state in zip(self.remembered, states, strict=True):
            callback.restore(state)
        if self.best_epoch is not None:
            self._keep_best(model, position)
        return position

    def _keep_best(self, model: keras.Model, position: dict[str, Any]) -> None:
        """Makes sure that there is a whole checkpoint of the best epoch.

        Where it is missing or damaged, it is written anew if the model is in
        that state.
        """
        try:
            read_position(self.best)
        except OtherVersionError:
            raise
        except RunError as error:
            if (position["epoch"], position["step"]) != (self.best_epoch, 0):
                raise RunError(
                    f"{error} It has the weights of the best epoch "
                    f"({self.best_epoch}), which are nowhere else."
                ) from error.__cause__
            save_state(self.best, model, position)

    def _states(self, path: Path, saved: list[dict] | dict) -> list:
        """Returns the state of each callback.

        Checkpoints of version 0.1.0 hold a dict by class name.
        """
        names = [type(callback).__name__ for callback in self.remembered]
        if isinstance(saved, dict):
            if len(set(names)) < len(names):
                raise RunError(
                    f'The checkpoint "{path}" is of version 0.1.0, which kept '
                    "one state for all callbacks of a class. Received: "
                    f"callbacks {', '.join(names)}. Start a new run."
                )
            if set(saved) == set(names):
                return [saved[name] for name in names]
            known = list(saved)
        else:
            known = [entry["class"] for entry in saved]
            if known == names:
                return [entry["state"] for entry in saved]
        raise RunError(
            f'The checkpoint "{path}" holds the state of the callbacks '
            f"{', '.join(known) or 'none'}; now there are {', '.join(names)}. "
            "Go on with the callbacks that the run was started with, or start "
            "a new run."
        )

    def restore_best(self, model: keras.Model) -> None:
        """Gives a model the weights of the best epoch, if there was one."""
        if self.best_epoch is not None:
            load_state(self.best, model)
