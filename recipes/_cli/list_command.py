"""`toolkit list`."""

from __future__ import annotations

import json

from recipes._cli.parsing import Parser
from recipes.catalog import CATALOG


def run(arguments: list[str]) -> None:
    """Prints the catalog."""
    parser = Parser("list", "The recipes that `toolkit train` knows.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.json:
        print(json.dumps([vars(entry) for entry in CATALOG.values()], indent=2))
        return
    rows = [("recipe", "data", "expected result", "minutes", "task")] + [
        (e.name, e.data, e.metric, f"{e.minutes:g}", e.task)
        for e in CATALOG.values()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (c.ljust(w) for c, w in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    print("\nResults and minutes: embedded data, 2 cores.")
