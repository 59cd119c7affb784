"""Configs of models: written down, changed to float64, read again."""

from __future__ import annotations

import types
import warnings

from toolkit.errors import ConfigError

FLOATS = ("float16", "bfloat16", "float32", "mixed_float16", "mixed_bfloat16")
POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float64"},
    "registered_name": None,
}


def config_of(model) -> dict:
    """Returns a model's arguments, with those of its layers.

    Args:
        model: a Keras model.
    """
    import keras

    # The scope in which Keras itself saves: a layer that is used twice stays
    # one layer.
    from keras.src.saving.serialization_lib import ObjectSharingScope

    with warnings.catch_warnings(), ObjectSharingScope():
        warnings.filterwarnings("ignore", message=".*lambda")
        return keras.saving.serialize_keras_object(model.get_config())


def from_config(model, config: dict):
    """Makes a model like another one.

    Args:
        model: the other one, whose layers' classes and functions are used,
            registered or not.
        config: from `config_of`.

    Raises:
        ConfigError: two classes or functions of one name.
    """
    import keras
    from keras.src.saving.serialization_lib import (
        ObjectSharingScope,
        SafeModeScope,
    )

    with (
        ObjectSharingScope(),
        SafeModeScope(False),  # a Lambda of the user's own
        keras.saving.custom_object_scope(own_objects(model, config)),
    ):
        return type(model).from_config(config)


def in_float64(node):
    """Returns a config with float64 in the place of every other float.

    Args:
        node: from `config_of`, or a part of that.
    """
    if isinstance(node, (list, tuple)):
        return type(node)(in_float64(item) for item in node)
    if not isinstance(node, dict):
        return node
    if str(node.get("class_name")).endswith(("DTypePolicy", "DTypePolicyMap")):
        name = node["config"].get("name", "float32")  # none if quantized
        return POLICY if name in FLOATS else node
    return {
        key: "float64"
        if key in ("dtype", "dtype_policy") and value in FLOATS
        else in_float64(value)
        for key, value in node.items()
        if key != "compile_config"  # of inner models; not needed here
    }


def own_objects(model, config) -> dict[str, object]:
    """Returns the classes and functions behind the names in a config.

    Args:
        model: a Keras model; those of its layers are looked through.
        config: from `config_of`.

    Raises:
        ConfigError: two of them have one name.
    """
    import keras

    found: dict[str, list] = {}

    def gather(value):
        if isinstance(value, types.FunctionType):
            item = value
        elif hasattr(value, "get_config"):
            item = type(value)
        else:
            return
        if item.__module__.split(".")[0] != "keras":
            known = found.setdefault(keras.saving.get_registered_name(item), [])
            if item not in known:
                known.append(item)

    for layer in model._flatten_layers():
        gather(layer)
        for item in [*vars(layer).values(), getattr(layer, "operations", [])]:
            for value in _flat(item):
                gather(value)
                for inner in getattr(value, "__dict__", {}).values():
                    gather(inner)
    objects = {}
    for name in _names(config):
        choices = found.get(name, [])
        if len(choices) > 1:
            raise ConfigError(
                f'The model "{model.name}" holds {len(choices)} different '
                f'classes or functions called "{name}". Register them with '
                "keras.saving.register_keras_serializable, each under a name "
                "of its own."
            )
        if choices:
            objects[name] = choices[0]
    return objects


def _flat(value) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _names(node) -> set[str]:
    """Returns the names of classes and functions that a config holds."""
    if isinstance(node, (list, tuple)):
        return set().union(*map(_names, node))
    if not isinstance(node, dict):
        return {node} if isinstance(node, str) else set()
    return set().union(*map(_names, node.values()))
