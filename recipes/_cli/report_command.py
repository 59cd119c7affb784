"""`toolkit report RUN`."""

from __future__ import annotations

from recipes._cli.parsing import Parser


def run(arguments: list[str]) -> None:
    """Writes report.html anew."""
    from recipes._report import write_report
    from recipes._run.directory import find
    from recipes._run.model_card import write_model_card
    from toolkit.io import Lock

    parser = Parser(
        "report",
        "Write a run's report.html and README.md anew, if you like with other "
        "runs beside it: one table, their validation losses and gradients.",
    )
    parser.add_argument("path", metavar="RUN", help="a run directory")
    parser.add_argument(
        "--beside",
        metavar="RUN",
        nargs="+",
        default=[],
        help="other runs of the same recipe on the same data, at most 7; a "
        "page that is written anew without them shows them no more",
    )
    options = parser.parse_args(arguments)
    path = find(options.path)
    with Lock(path):
        page = write_report(path, options.beside)  # what may be refused first
        write_model_card(path)
        print(page)
