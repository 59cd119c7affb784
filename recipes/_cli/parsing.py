"""The argument parser of every subcommand."""

from __future__ import annotations

import re
import shlex
import sys

import jsonargparse

from toolkit.errors import ConfigError, closest

SIZES_HELP = (
    "sizes of open axes on which to compare, where the model takes few: "
    "'time=32,64', several axes with ; between them"
)


NAN_HELP = "allow NaN and infinity in variables and answers"
SAMPLES_HELP = (
    "real inputs to compare on, batch first: .npz with an array per input, or "
    ".npy for a single input"
)


def parse_sizes(text: str) -> dict[str, list[int]] | None:
    """Returns the sizes by axis of `time=32,64;height=64`; None for none.

    Raises:
        ConfigError: If the text is not of this form, or a size is below 1.
    """
    sizes = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        axis, equals, numbers = part.partition("=")
        listed = [number.strip() for number in numbers.split(",")]
        if (
            not axis.strip()
            or not equals
            or not all(
                number.isdecimal() and int(number) > 0 for number in listed
            )
        ):
            raise ConfigError(
                "--sizes must name axes and whole numbers from 1 on, such as "
                f"'time=32,64'. Received: {text!r}."
            )
        if axis.strip() in sizes:
            raise ConfigError(
                f"--sizes names the axis {axis.strip()} twice; give all of its "
                f"sizes at once. Received: {text!r}."
            )
        sizes[axis.strip()] = [int(number) for number in listed]
    return sizes or None


class Parser(jsonargparse.ArgumentParser):
    """jsonargparse's parser: no abbreviations, the closest flag on errors.

    Args:
        command: the subcommand's name.
        description: one paragraph for `--help`.
        options: as for `jsonargparse.ArgumentParser`.
    """

    def __init__(self, command: str, description: str, **options):
        super().__init__(
            prog=f"toolkit {command}",
            description=description,
            allow_abbrev=False,
            **options,
        )
        self._given: list[str] = []

    def parse_args(self, args=None, *rest, **options):
        """Parses; `--batch-size` and `--batch_size` are the same flag."""
        if args is not None:
            args = _joined([self._spelled(argument) for argument in args])
            self._given = args
        return super().parse_args(args, *rest, **options)

    def _spelled(self, argument: str) -> str:
        flag, equals, value = argument.partition("=")
        if not flag.startswith("--") or flag in self._flags():
            return argument
        for name in self._flags():
            if name.replace("_", "-") == flag.replace("_", "-"):
                return name + equals + value
        return argument

    def error(self, message: str, *rest) -> None:
        """Prints one message with the closest flag, and exits with 2."""
        text = " ".join(str(message).split())
        text = re.sub(r'^Parser key "(\w+)":', self._flag, text)
        text = text.replace("typing.Literal", "one of ")
        for wrong in re.findall(r"--[\w-]+", text):
            if "unrecognized" in text.lower():
                text += closest(wrong.split("=")[0], self._flags())
                break
        extra = re.match(r"Option '([\w.]+)' is not accepted", text)
        if extra:
            names = [f.removeprefix("--") for f in self._flags()]
            text += f".{closest(extra[1], names)}"
        text += self._with_equals(text)
        print(f"error: {text}", file=sys.stderr)
        print(f"See: {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def _with_equals(self, text: str) -> str:
        """Returns how to write a value that begins with a minus: `--a=-x`."""
        lacks = re.search(r"argument (--[\w-]+): expected one argument", text)
        for flag, value in zip(self._given, self._given[1:], strict=False):
            if not lacks or flag != lacks[1] or value in self._flags():
                continue
            return f". Write {flag}={shlex.quote(value)}"
        return ""

    def _flag(self, match: re.Match) -> str:
        name = match[1]
        flags = {
            f.removeprefix("--").replace("-", "_"): f for f in self._flags()
        }
        return f"{flags.get(name, name)}:"

    def _flags(self) -> list[str]:
        return [
            option
            for action in self._actions
            for option in action.option_strings
            if option.startswith("--")
        ]


def _joined(args: list[str]) -> list[str]:
    """Lets a value begin with a minus and a digit: `--strengths -5,0,5`."""
    found: list[str] = []
    for argument in args:
        if (
            re.match(r"-[\d.]", argument)
            and found
            and re.fullmatch(r"--[\w-]+", found[-1])
        ):
            found[-1] += f"={argument}"
        else:
            found.append(argument)
    return found
