"""The house's own rules: arrows, laziness, inventory, documentation."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.catalog import CATALOG

ROOT = Path(__file__).parents[2]
PACKAGES = ("toolkit", "export", "recipes")
ALLOWED = {
    "toolkit": {"toolkit"},
    "export": {"toolkit", "export"},
    "recipes": {"toolkit", "export", "recipes"},
}
OURS = {"toolkit", "export", "recipes", "tests", "benchmarks"}


def imported(source: str) -> set[str]:
    """Top-level packages of ours that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found & OURS


def wrong_arrows(package: str, source: str) -> set[str]:
    return imported(source) - ALLOWED[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_from_recipes_to_export_to_toolkit(package):
    wrong = {
        str(path.relative_to(ROOT)): arrows
        for path in (ROOT / package).rglob("*.py")
        if (arrows := wrong_arrows(package, path.read_text()))
    }
    assert not wrong


def test_a_wrong_arrow_is_seen():
    assert wrong_arrows("toolkit", "def f():\n    import export.api") == {
        "export"
    }
    assert wrong_arrows("export", "from recipes.lenet5 import x") == {"recipes"}


LIGHT = (
    "import export.runtime",
    "import export, export.formats",
    "import toolkit, toolkit.io, toolkit.data",
    "from recipes._cli.main import main; main(['--help'])",
    "from recipes._cli.main import main; main(['list'])",
    "from recipes._cli.main import main; main(['train', 'lenet5', '--help'])",
    "import recipes._cli.predict_command, recipes._run.word_export",
    "import recipes._cli.evaluate_command, recipes._cli.generate_command",
    "import importlib, recipes.catalog as c\n"
    "[importlib.import_module(f'recipes.{n}').Config() for n in c.CATALOG]",
    "from toolkit.data import load_images; load_images('embedded')",
)
# All in one process, for a start of Python takes more than most of them: a
# module once imported stays, so each is blamed for what was not there before.
MEASURE = """
import json, sys
steps, seen, new = json.loads(sys.argv[1]), set(), []
for step in steps:
    exec(step, {})
    found = {name.split(".")[0] for name in sys.modules}
    new.append(sorted(found - seen))
    seen |= found
print()
print(json.dumps(new))
"""


def new_modules(*steps: str) -> dict[str, set[str]]:
    """Returns by step the packages that it is the first to import."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, json.dumps(steps)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    new = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(steps, map(set, new), strict=True))


def test_light_things_import_no_tensorflow():
    found = new_modules(*LIGHT)
    heavy = {"tensorflow", "keras", "tf2onnx"}
    assert not {step: new & heavy for step, new in found.items() if new & heavy}
    first = found["import export.runtime"]
    assert "export" in first and not {"onnx", "PIL"} & first
    assert "numpy" in set().union(*found.values())  # what it must see


def all_modules():
    for package in PACKAGES:
        root = importlib.import_module(package)
        for item in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not item.name.endswith("__main__"):
                yield item.name


# An example that starts TensorFlow in another process.
STARTS_ANEW = {"toolkit.testing.fresh_process"}


def run_examples(names) -> int:
    """Runs the examples of modules; returns how many lines there were."""
    attempted = 0
    for name in names:
        module = importlib.import_module(name)
        result = doctest.testmod(
            module, optionflags=doctest.NORMALIZE_WHITESPACE
        )
        assert result.failed == 0, name
        attempted += result.attempted
    return attempted


def test_docstring_examples_run():
    names = set(all_modules())
    assert names > STARTS_ANEW
    assert run_examples(sorted(names - STARTS_ANEW)) >= 15


# Slow: test_contracts.py makes the same call, on every layer.
@pytest.mark.slow
def test_docstring_examples_run_that_start_anew():
    assert run_examples(sorted(STARTS_ANEW)) >= 1


def public(package: str) -> set[str]:
    """Public names of a package; empty if there is no such package."""
    try:
        return set(importlib.import_module(package).__all__)
    except ModuleNotFoundError:
        return set()


def missing_contracts(names: set[str], tests: str) -> set[str]:
    return {n for n in names if not re.search(rf"\b{n}\b", tests)}


def test_every_builder_and_layer_has_a_contract():
    import keras

    from tests.layers.contracts import LAYERS
    from tests.models.contracts import BUILDERS, QUERIES, SEARCHES, TEXTS

    groups = (BUILDERS, QUERIES, SEARCHES, TEXTS)
    assert public("toolkit.models") == {name for g in groups for name in g}
    layers = importlib.import_module("toolkit.layers")
    assert {
        name
        for name in public("toolkit.layers")
        if inspect.isclass(getattr(layers, name))
        and issubclass(getattr(layers, name), keras.layers.Layer)
        and not issubclass(getattr(layers, name), keras.Model)
    } == set(LAYERS)


def test_every_builder_has_a_docstring_with_an_example():
    models = importlib.import_module("toolkit.models")
    for name in public("toolkit.models"):
        text = inspect.getdoc(getattr(models, name))
        for part in ("Args:", "Returns:", "Raises:", ">>>", "Source:"):
            assert part in text, (name, part)


def test_catalog_equals_the_recipe_files():
    files = {
        path.stem
        for path in (ROOT / "recipes").glob("*.py")
        if not path.stem.startswith("_")
    } - {"catalog"}
    assert files == set(CATALOG)


@pytest.mark.parametrize("name", CATALOG)
def test_recipe_has_the_expected_parts_in_under_250_lines(name):
    module = importlib.import_module(f"recipes.{name}")
    for part in ("Config", "PRESETS", "build_data", "build_model", "train"):
        assert hasattr(module, part)
    assert module.RECIPE == name
    assert len(inspect.getsource(module).splitlines()) < 250


def test_readme_format_matrix_is_the_table_of_formats():
    from export.formats import FORMATS

    readme = (ROOT / "README.md").read_text()
    for item in FORMATS.values():
        row = (
            f"| `{item.name}` | {item.title} | {item.runtime} | "
            f"{item.operators} |"
        )
        assert row in readme


def test_no_page_holds_a_mark_to_be_replaced():
    for page in [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]:
        for mark in ("@@", "TODO", "XXX"):
            assert mark not in page.read_text(), page


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
