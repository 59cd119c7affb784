"""`toolkit COMMAND ...`: finds the command, turns errors into one line."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys

from recipes._cli.output import OutputError, checked_output
from toolkit.errors import ConfigError, ToolkitError, unknown

COMMANDS = {
    "list": "the recipes: data, expected result, minutes",
    "train": "train a recipe, or a recipe file of your own",
    "evaluate": "metrics of a run or an exported file on a test split",
    "robustness": "accuracy of runs or files on distorted images",
    "predict": "classify pictures with an exported file, without TensorFlow",
    "generate": "let a run's language model write text",
    "export": "a run or .keras file into SavedModel, ONNX, LiteRT, proven",
    "verify": "hold any exported file against the Keras model",
    "benchmark": "size, latency and quality of a run's files beside Keras'",
    "copy": "your own copy of a recipe",
    "report": "write a run's report.html anew, if you like beside other runs",
    "doctor": "versions, clashes, and which formats work here",
}

REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
IN_THE_WAY = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST}
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, *REFUSED}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: what follows `toolkit`; the process's own by default.

    Returns:
        The exit status: 0, 1 for a failure, 2 for wrong usage.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with checked_output():
            _run(arguments)
    except OutputError as error:
        # Who reads the first lines of a list, or of a --help, knows it.
        if not error.closed or _works(arguments):
            _complain(str(error), error)
        return error.exit_code
    except ToolkitError as error:
        _complain(str(error), error)
        return error.exit_code
    except OSError as error:
        if error.errno in IN_THE_WAY and error.filename:
            _complain(
                f'Cannot use "{error.filename}": {error.strerror}. Move away '
                "what has this name.",
                error,
            )
            return 1
        if error.errno not in DISK:
            raise
        place = f' "{error.filename}"' if error.filename else ""
        way = "Make it writable" if error.errno in REFUSED else "Make room"
        _complain(
            f"Cannot write{place}: {error.strerror}. {way} or name another "
            "folder; what was there before is whole.",
            error,
        )
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except SystemExit as error:  # a parser's own: usage, --help
        return error.code if isinstance(error.code, int) else 1
    return 0


def _run(arguments: list[str]) -> None:
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print(_help())
    elif name == "--version":
        from importlib import metadata

        print(f"toolkit {metadata.version('applied-keras-toolkit')}")
    elif name in COMMANDS:
        command = importlib.import_module(f"recipes._cli.{name}_command")
        command.run(arguments[1:])
    else:
        raise ConfigError(
            f"{unknown('command', name, COMMANDS)} See toolkit --help."
        )


def _works(arguments: list[str]) -> bool:
    """Returns whether a command does more than print what is known."""
    name = arguments[0] if arguments else ""
    help_asked = {"-h", "--help"} & set(arguments)
    return name in COMMANDS and name != "list" and not help_asked


def _complain(message: str, error: BaseException | None = None) -> None:
    """Prints a message, and what was noted on the error."""
    notes = getattr(error, "__notes__", [])
    if sys.stderr is None:  # closed; `print` would take standard output
        return
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(" ".join([f"error: {message}", *notes]), file=sys.stderr)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: toolkit COMMAND ...",
            "",
            "Train a standard Keras model; export it to SavedModel, ONNX and "
            "LiteRT",
            "files that are proven equal to it.",
            "",
            *lines,
            "",
            "toolkit COMMAND --help tells more.",
            "Start with: toolkit train lenet5 --export onnx,litert",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
