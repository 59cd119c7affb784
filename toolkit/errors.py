"""Exceptions that name the value and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ToolkitError(Exception):
    """Base of every error that this project raises on purpose.

    The command line prints its message behind `error:` and exits with
    `exit_code`; anything else that escapes is a defect and keeps its
    traceback.
    """

    exit_code = 1
    about_output = False  # whether it could go on if output could be written


class ConfigError(ToolkitError, ValueError):
    """A flag, preset, recipe or argument that cannot be used."""

    exit_code = 2


class DataError(ToolkitError, ValueError):
    """A data source that is missing, damaged or does not fit."""


class RunError(ToolkitError):
    """A run directory that is missing, in use or of another recipe."""


class TrainingError(ToolkitError):
    """Training that cannot go on, such as a loss that is not a number."""


class GradientError(ToolkitError):
    """Gradients that central differences contradict.

    Attributes:
        report: the `toolkit.evaluation.GradientReport` with every number.
    """

    def __init__(self, message: str, report=None):
        super().__init__(message)
        self.report = report


class LayerContractError(ToolkitError):
    """A layer that does not do what every layer must do.

    Attributes:
        check: the name of the check that failed, such as `config`.
    """

    def __init__(self, message: str, check: str = ""):
        super().__init__(message)
        self.check = check


def closest(name: str, options: Iterable[str]) -> str:
    """Returns ` Did you mean "lenet5"?` for a near miss, else an empty string.

    Args:
        name: what the user wrote.
        options: the names that exist.
    """
    found = difflib.get_close_matches(str(name), list(options), n=1)
    return f' Did you mean "{found[0]}"?' if found else ""


def unknown(kind: str, name: str, options: Iterable[str]) -> str:
    """Returns the message for a name that is not among `options`.

    Args:
        kind: what was named, such as `recipe`.
        name: what the user wrote.
        options: the names that exist.
    """
    options = list(options)
    return (
        f'Unknown {kind} "{name}".{closest(name, options)} '
        f"Available: {', '.join(options)}."
    )
