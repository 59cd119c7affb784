"""`toolkit` in a process that ends itself with SIGKILL at a chosen place.

    python -m tests.recipes.kills PLACE train softmax_regression ...

PLACE is JSON: `{"call": 7, "after": true}` kills after the seventh rename,
link or removal (before it without `after`); `{"text": "epoch 2", "wait": 0.1}`
kills 0.1 s after that text was printed; `{}` kills nowhere. The last line
on standard error says how many renames, links and removals there were.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time

CALLS = ("replace", "rename", "link", "unlink", "rmdir")


def kill() -> None:
    """Ends this process as the system would: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Counter:
    """Counts calls of the functions that change names, and kills at one.

    Args:
        number: Integer, the call to kill at, from 1; 0 for none.
        after: Boolean, whether the call is done first.
    """

    def __init__(self, number: int, after: bool):
        self.number, self.after, self.calls = number, after, 0

    def install(self) -> None:
        """Puts itself in front of the functions."""
        for name in CALLS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function):
        def call(*arguments, **options):
            # Of the run alone: caches of libraries are not ours.
            if not any("runs-of-kills" in str(a) for a in arguments[:2]):
                return function(*arguments, **options)
            self.calls += 1
            here = self.calls == self.number
            if here and not self.after:
                kill()
            result = function(*arguments, **options)
            if here:
                kill()
            return result

        return call


class Listener:
    """Standard output that kills some time after a text."""

    def __init__(self, stream, text: str, wait: float):
        self.stream, self.text, self.wait = stream, text, wait

    def write(self, text: str) -> int:
        """Writes; starts the clock at the text."""
        if self.text in text:
            threading.Thread(target=self._later, daemon=True).start()
        return self.stream.write(text)

    def _later(self) -> None:
        time.sleep(self.wait)
        self.stream.flush()
        kill()

    def __getattr__(self, name):
        return getattr(self.stream, name)


def main() -> int:
    """Runs a command."""
    faulthandler.enable()  # a process that stands shows where
    place = json.loads(sys.argv[1])
    counter = Counter(place.get("call", 0), place.get("after", False))
    counter.install()
    if "text" in place:
        sys.stdout = Listener(sys.stdout, place["text"], place["wait"])
    from recipes._cli.main import main as toolkit

    status = toolkit(sys.argv[2:])
    print(f"calls {counter.calls}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
