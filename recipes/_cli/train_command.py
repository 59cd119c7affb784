"""`toolkit train RECIPE` and `toolkit train ./mine.py`."""

from __future__ import annotations

import contextlib
import dataclasses
import time

from export import formats as table
from recipes import catalog
from recipes._cli import user_recipe
from recipes._cli.parsing import Parser
from recipes._run import directory
from recipes._run.config import RECIPE
from recipes._run.config import read as read_config
from recipes._run.environment import command_line
from recipes._run.settings_of_run import settings_of_run
from toolkit.errors import ConfigError, RunError, unknown
from toolkit.io import Lock, remove_temporaries


def run(arguments: list[str]) -> None:
    """Trains, evaluates, exports, reports."""
    if not arguments or arguments[0].startswith("-"):
        names = ", ".join(catalog.CATALOG)
        if arguments[:1] in (["-h"], ["--help"]):
            print(
                "usage: toolkit train RECIPE [options]\n"
                "       toolkit train ./mine.py [options]\n\n"
                f"Recipes: {names}\n"
                "toolkit train RECIPE --help shows a recipe's options."
            )
            return
        raise ConfigError(
            f"Name the recipe first: toolkit train RECIPE ... Available: "
            f"{names}."
        )
    name = arguments[0]
    module = (
        user_recipe.load(name)
        if user_recipe.is_file(name)
        else catalog.get(name)
    )
    parser = build_parser(name, module)
    options = parser.parse_args(_with_preset(module, arguments[1:], parser))
    formats = None
    if options.export:
        formats = [item.name for item in table.parse(options.export)]
    if options.resume:
        _refuse_settings(arguments[1:])
        config = _config_of_run(options.resume, module)
    else:
        config = to_config(module.Config, options)
    _train(module, name, config, formats, options, arguments)


def build_parser(name: str, module) -> Parser:
    """Returns the parser of a recipe: its `Config`, then the plumbing."""
    about = (module.__doc__ or f"Train {name}.").strip()
    parser = Parser(f"train {name}", about.splitlines()[0])
    parser.add_argument(
        "--config", action="config", help="YAML file with settings"
    )
    parser.add_argument(
        "--preset",
        default=next(iter(module.PRESETS)),
        help=f"settings to start from: {', '.join(module.PRESETS)}",
    )
    parser.add_class_arguments(module.Config, as_group=True)
    group = parser.add_argument_group("Run")
    group.add_argument(
        "--export",
        default="",
        help=f"formats to export to, with commas: {','.join(table.FORMATS)}",
    )
    group.add_argument("--runs", default="runs", help="folder of all runs")
    group.add_argument(
        "--recipe",
        default=module.RECIPE,
        help="as config.yaml names it; checked",
    )
    group.add_argument(
        "--resume",
        default="",
        metavar="RUN",
        help="go on with an interrupted run, exactly as it would have gone on",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="a few steps of training, one evaluation, one export",
    )
    return parser


def to_config(config_class: type, options):
    """Returns the `Config` among parsed options."""
    fields = [field.name for field in dataclasses.fields(config_class)]
    return config_class(**{name: options[name] for name in fields})


def _refuse_settings(arguments: list[str]) -> None:
    """Raises for flags that a resumed run has no place for."""
    for argument in arguments:
        flag = argument.split("=")[0]
        if flag.startswith("--") and flag not in ("--resume", "--export"):
            raise ConfigError(
                f"{flag} cannot be used with --resume: a resumed run keeps the "
                "settings in its config.yaml. Leave it out, or start a new "
                "run."
            )


def _config_of_run(path: str, module):
    """Returns the `Config` of a run that is to go on."""
    run = directory.find(path)
    recipe = read_config(run / "config.yaml")[RECIPE]
    if recipe != module.RECIPE:
        raise RunError(
            f'The run "{path}" is of the recipe "{recipe}", not '
            f'"{module.RECIPE}". Resume it with: toolkit train {recipe} '
            f"--resume {path}"
        )
    if directory.is_finished(run):
        with contextlib.suppress(OSError), Lock(run):  # it may be read-only
            remove_temporaries(run)  # of a process killed at its very end
        raise RunError(
            f'The run "{path}" is finished; there is nothing to resume. Its '
            f"report: {run / 'report.html'}. To export it: toolkit export "
            f"{path}"
        )
    return settings_of_run(run / "config.yaml", module)


def _with_preset(module, arguments: list[str], parser: Parser) -> list[str]:
    """Lets a preset set the defaults, under everything that is said."""
    preset = None
    for index, argument in enumerate(arguments):
        if argument == "--preset" and index + 1 < len(arguments):
            preset = arguments[index + 1]
        elif argument.startswith("--preset="):
            preset = argument.split("=", 1)[1]
    if preset is not None:
        if preset not in module.PRESETS:
            raise ConfigError(unknown("preset", preset, module.PRESETS))
        parser.set_defaults(**module.PRESETS[preset])
    return arguments


def _train(module, name, config, formats, options, arguments) -> None:
    from recipes._run.run import Run

    if options.recipe != module.RECIPE:
        raise ConfigError(
            f'The configuration is of the recipe "{options.recipe}", not '
            f'"{module.RECIPE}". Train that one, or leave out `recipe`.'
        )
    started = time.perf_counter()
    outcome = Run(
        module.RECIPE,
        config,
        runs=options.runs,
        dry_run=options.dry_run,
        command=command_line(["train", *arguments]),
        resume=options.resume or None,
        origin=name,
        formats=formats,
    )
    with outcome:
        _finish(module, config, outcome, started)


def _finish(module, config, outcome, started: float) -> None:
    """Trains, evaluates, exports and reports inside a run."""
    settings = dataclasses.asdict(config)
    print("  ".join(f"{k}={v}" for k, v in settings.items()))
    from toolkit._backend import load_tensorflow

    load_tensorflow()
    imported = time.perf_counter()
    module.main(config, outcome)
    trained = time.perf_counter()
    if outcome.formats:
        outcome.export(outcome.formats)
    exported = time.perf_counter()
    outcome.finish()
    outcome.say(
        f"done in {time.perf_counter() - started:.0f} s: imports "
        f"{imported - started:.0f}, data, training and test "
        f"{trained - imported:.0f}, export and verification "
        f"{exported - trained:.0f}"
    )
