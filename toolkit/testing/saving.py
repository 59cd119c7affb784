"""Checks of a layer's config, and of a model with it in a file."""

from __future__ import annotations

import inspect
import json
import tempfile
from pathlib import Path

import keras

from toolkit.testing.subject import Subject, farthest, is_own

OF_EVERY_LAYER = {
    "name",
    "dtype",
    "trainable",
    "autocast",
    "activity_regularizer",
}


def check_config(subject: Subject) -> None:
    """The config makes the same layer again, and can be written down."""
    layer = subject.built(name="one")
    if layer.name != "one":
        subject.fail(
            "config",
            'made with name="one" it is called '
            f'"{layer.name}". Pass **options to super().__init__.',
        )
    with subject.attempt("config", "`get_config` fails"):
        config = layer.get_config()
    _check_complete(subject, layer, config)
    written = _written(subject, layer)
    with (
        subject.attempt("config", "cannot be made from its config"),
        keras.saving.custom_object_scope(_own(layer)),
    ):
        again = keras.saving.deserialize_keras_object(json.loads(written))
    subject.call(again)
    after = json.loads(_written(subject, again))["config"]
    before = json.loads(written)["config"]
    for key in before | after:
        if before.get(key) != after.get(key):
            subject.fail(
                "config",
                f"`{key}` is {before.get(key)!r} in the config, and "
                f"{after.get(key)!r} in that of the layer made from it.",
            )
    shapes = [(w.name, tuple(w.shape)) for w in layer.weights]
    found = [(w.name, tuple(w.shape)) for w in again.weights]
    if shapes != found:
        subject.fail(
            "config",
            f"made from its config it has the weights {found} instead of "
            f"{shapes}. Let `get_config` return all arguments of `__init__`.",
        )
    again.set_weights(layer.get_weights())
    _compare(
        subject,
        "config",
        subject.call(layer, training=False),
        subject.call(again, training=False),
        "made from its config, with the same weights",
    )


def check_saving(subject: Subject) -> None:
    """A model with the layer is saved, and loaded by name."""
    layer = subject.built()
    check_registered(subject, layer)
    model = subject.model(layer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        with subject.attempt("saving", "cannot be saved"):
            model.save(path)
        with subject.attempt("saving", "cannot be loaded"):
            loaded = keras.models.load_model(path)
    _compare(
        subject,
        "saving",
        subject.call(model, training=False),
        subject.call(loaded, training=False),
        "loaded from a file",
    )


def check_registered(subject: Subject, layer) -> None:
    """Raises for a layer of the user's that Keras does not know by name.

    Args:
        subject: the layer under test.
        layer: made by it.
    """
    for kind in dict.fromkeys(type(item) for item in layer._flatten_layers()):
        if not is_own(kind):
            continue
        name = keras.saving.get_registered_name(kind)
        if ">" not in name:
            subject.fail(
                "saving",
                f"`{kind.__name__}` is not registered, so no file with it can "
                "be loaded. Decorate it with "
                '@keras.saving.register_keras_serializable("my_package").',
            )
        if keras.saving.get_registered_object(name) is not kind:
            subject.fail(
                "saving",
                f"another class is registered as `{name}` as well. Give "
                f"`{kind.__name__}` a package or a name of its own.",
            )


def _check_complete(subject: Subject, layer, config) -> None:
    if not is_own(subject.kind):
        return
    for name, parameter in inspect.signature(
        subject.kind.__init__
    ).parameters.items():
        if (
            name in {"self", *config, *OF_EVERY_LAYER}
            or parameter.kind is parameter.VAR_POSITIONAL
            or parameter.kind is parameter.VAR_KEYWORD
        ):
            continue
        # None, and nothing kept under that name, is nothing to remember.
        if parameter.default is None and subject.arguments.get(name) is None:
            if getattr(layer, name, None) is None:
                continue
        subject.fail(
            "config",
            f"`get_config` lacks the argument `{name}`. Return "
            f'{{**super().get_config(), "{name}": self.{name}, ...}} with '
            "every argument of `__init__`.",
        )


def _written(subject: Subject, layer) -> str:
    with subject.attempt(
        "config",
        "its config cannot be written as JSON",
        "Let `get_config` return numbers, strings, lists and dictionaries, "
        "and serialize objects, such as keras.initializers.serialize does.",
    ):
        return json.dumps(keras.saving.serialize_keras_object(layer))


def _own(layer) -> dict:
    return {
        keras.saving.get_registered_name(type(item)): type(item)
        for item in layer._flatten_layers()
        if is_own(type(item))
    }


def _compare(subject: Subject, check: str, one, two, how: str) -> None:
    for a, b in zip(one, two, strict=True):
        if farthest(a, b) > 1e-6:
            subject.fail(
                check,
                f"{how}, it gives another answer: {farthest(a, b):.1e} of the "
                "largest value away. Let `get_config` return all arguments of "
                "`__init__`, and keep all state in weights.",
            )
