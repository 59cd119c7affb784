"""`toolkit report RUN`."""

from __future__ import annotations

from recipes._cli.parsing import Parser


def run(arguments: list[str]) -> None:
    """Writes report.html anew."""
    from recipes._report import write_report
    from recipes._run.directory import find
    from recipes._run.model_card import write_model_card
    from toolkit.io import Lock

    parser = Parser("report", "Write a run's report.html and README.md anew.")
    parser.add_argument("path", metavar="RUN", help="a run directory")
    options = parser.parse_args(arguments)
    path = find(options.path)
    with Lock(path):
        write_model_card(path)
        print(write_report(path))
