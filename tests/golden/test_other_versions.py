"""Runs of earlier and of newer versions: settings that come and go."""

import dataclasses
import hashlib
import io
import json
import types

import numpy as np
import pytest
import yaml

from recipes import catalog, softmax_regression
from recipes._cli.main import main
from recipes._run.config import RECIPE
from recipes._run.config import read as read_config
from recipes._run.settings_of_run import settings_of_run
from recipes.catalog import CATALOG
from tests.golden.record import all_golden
from toolkit.errors import ConfigError, RunError

GOLDEN = {golden.name: golden for golden in all_golden()}
SOFTMAX = GOLDEN["softmax_regression"]


def toolkit(*arguments):
    return main([str(a) for a in arguments])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """An interrupted run of an earlier version."""
    SOFTMAX.unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return SOFTMAX.stopped


def edit(run, **changes):
    """Changes settings in a config.yaml; None removes one."""
    path = run / "config.yaml"
    values = {**yaml.safe_load(path.read_text()), **changes}
    kept = {name: v for name, v in values.items() if v is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False))


def resume(run, capfd):
    """Resumes; returns the status and the lines of errors."""
    status = toolkit("train", SOFTMAX.recipe, "--resume", run)
    return status, capfd.readouterr().err.splitlines()


def metrics(run):
    return json.loads((run / "evaluation.json").read_text())["metrics"]


def test_young_setting_takes_the_value_that_behaves_as_before(
    run, capfd, monkeypatch
):
    edit(run, l2=None)
    monkeypatch.setattr(
        softmax_regression, "BEFORE", {"l2": 0.0}, raising=False
    )
    status, errors = resume(run, capfd)
    assert (status, errors) == (0, [])
    # As near as a resumed run of today gets on another processor.
    assert metrics(run)["loss"] == pytest.approx(
        metrics(SOFTMAX.finished)["loss"], rel=1e-3
    )


def test_that_value_is_not_the_default(run, monkeypatch):
    edit(run, l2=None)
    monkeypatch.setattr(
        softmax_regression, "BEFORE", {"l2": 0.25}, raising=False
    )
    found = settings_of_run(run / "config.yaml", softmax_regression)
    assert found.l2 == 0.25 != softmax_regression.Config().l2


def test_young_setting_without_such_a_value_is_one_line(run, capfd):
    edit(run, l2=None)
    status, errors = resume(run, capfd)
    assert (status, len(errors)) == (1, 1)
    for part in ('"l2" is missing', f"{run}/config.yaml", "start a new run"):
        assert part in errors[0]
    assert not (run / "evaluation.json").exists()


@pytest.mark.parametrize("changes", [{"momentum": 0.9}, {"a": 1, "b": 2}])
def test_removed_setting_is_one_line(changes, run, capfd):
    edit(run, **changes)
    status, errors = resume(run, capfd)
    assert (status, len(errors)) == (1, 1)
    for part in (
        *(f'"{name}"' for name in changes),
        f"{run}/config.yaml",
        "the version that began the run (0.1.0)",
        "start a new run",
    ):
        assert part in errors[0]


def test_run_of_a_newer_version_is_one_line(run, capfd):
    edit(run, momentum=0.9)
    path = run / "environment.json"
    environment = json.loads(path.read_text())
    environment["versions"]["applied-keras-toolkit"] = "9.8.7"
    path.write_text(json.dumps(environment))
    status, errors = resume(run, capfd)
    assert (status, len(errors)) == (1, 1)
    assert "the version that began the run (9.8.7)" in errors[0]
    path.write_text("[]")  # it does not say
    status, errors = resume(run, capfd)
    assert (status, len(errors)) == (1, 1)
    assert "the version that began the run, or" in errors[0]


def test_checkpoint_of_a_newer_version_is_one_line(run, capfd):
    path = run / "checkpoints" / "last.npz"
    with np.load(io.BytesIO(path.read_bytes()[:-32])) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays["header"]))
    header["version"] += 1
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, "header": np.array(json.dumps(header))})
    content = buffer.getvalue()
    path.write_bytes(content + hashlib.sha256(content).digest())
    status, errors = resume(run, capfd)
    assert (status, len(errors)) == (1, 1)
    assert f"has version {header['version']}" in errors[0]


def test_page_of_a_run_with_foreign_settings_is_written(tmp_path, monkeypatch):
    SOFTMAX.unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    edit(SOFTMAX.finished, momentum=0.9, l2=None)
    assert toolkit("report", SOFTMAX.finished) == 0
    assert "momentum" in (SOFTMAX.finished / "report.html").read_text()


# Of a recipe of one's own


@dataclasses.dataclass(frozen=True)
class Config:
    units: int = 8
    momentum: float = 0.9

    def __post_init__(self):
        if self.units < 1:
            raise ConfigError("--units must be at least 1.")


def recipe(**attributes):
    return types.SimpleNamespace(RECIPE="mine", Config=Config, **attributes)


def config_file(tmp_path, **values):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({RECIPE: "mine", **values}))
    return path


def test_settings_of_the_file_come_first(tmp_path):
    path = config_file(tmp_path, units=3, momentum=0.5)
    found = settings_of_run(path, recipe(BEFORE={"momentum": 0.0}))
    assert found == Config(3, 0.5)


def test_run_that_lacks_a_setting_of_a_recipe_without_before(tmp_path):
    path = config_file(tmp_path, units=3)
    with pytest.raises(RunError, match='"momentum" is missing in .*config.yam'):
        settings_of_run(path, recipe())
    assert settings_of_run(path, recipe(BEFORE={"momentum": 0.1})) == Config(
        3, 0.1
    )


def test_invalid_value_of_a_file_is_refused(tmp_path):
    path = config_file(tmp_path, units=0, momentum=0.5)
    with pytest.raises(ConfigError, match="--units must be at least 1"):
        settings_of_run(path, recipe())


# The recipes of today


def forgotten(config_class, before, values):
    """Returns settings that a run lacks and of which `BEFORE` says nothing."""
    names = {field.name for field in dataclasses.fields(config_class)}
    return names - set(values) - set(before)


@pytest.mark.parametrize("golden", GOLDEN.values(), ids=str)
def test_every_setting_says_what_earlier_versions_did(
    golden, tmp_path, monkeypatch
):
    golden.unpack(tmp_path)
    path = tmp_path / golden.finished / "config.yaml"
    module = catalog.get(golden.recipe)
    before = getattr(module, "BEFORE", {})
    assert not forgotten(module.Config, before, read_config(path))
    assert isinstance(settings_of_run(path, module), module.Config)


@pytest.mark.parametrize("name", CATALOG)
def test_no_entry_is_of_a_setting_that_is_gone(name):
    module = catalog.get(name)
    fields = {field.name for field in dataclasses.fields(module.Config)}
    assert set(getattr(module, "BEFORE", {})) <= fields


def test_forgotten_settings_are_seen():
    assert forgotten(Config, {}, {RECIPE: "mine", "units": 1}) == {"momentum"}
    assert not forgotten(Config, {"momentum": 0.0}, {"units": 1})
