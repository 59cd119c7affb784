"""Commands in a process of their own."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Result(NamedTuple):
    """What one command of a process did.

    Attributes:
        status: The exit status.
        stdout: The standard output.
        stderr: The standard error.
        modules: "tensorflow" and "keras", if the process had imported them
            by the end of the command.
    """

    status: int
    stdout: str
    stderr: str
    modules: list[str]


def without_tensorflow(*commands):
    """Runs several `toolkit` commands one by one in one fresh process.

    Args:
        *commands: Lists of arguments of `toolkit`.

    Returns:
        A `Result` for each command.
    """
    given = json.dumps([[str(a) for a in command] for command in commands])
    process = subprocess.run(
        [sys.executable, "-m", "tests.recipes.processes", given],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert process.returncode == 0, process.stderr
    return [Result(*fields) for fields in json.loads(process.stdout)]


def run_all(commands):
    """Runs commands in this process, each with output files of its own."""
    from recipes._cli.main import main

    kept = os.dup(1), os.dup(2)
    results = []
    for arguments in commands:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            os.dup2(out.fileno(), 1)
            os.dup2(error.fileno(), 2)
            try:
                status = main(arguments)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os.dup2(kept[0], 1)
                os.dup2(kept[1], 2)
            texts = []
            for file in (out, error):
                file.seek(0)
                texts.append(file.read().decode("utf-8"))
        modules = sorted({"tensorflow", "keras"} & set(sys.modules))
        results.append([status, *texts, modules])
    print(json.dumps(results))


if __name__ == "__main__":
    run_all(json.loads(sys.argv[1]))
