"""What goes in and what comes out: names, shapes, dtypes, axis names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import tensorflow as tf

from export.errors import UnsupportedModelError
from toolkit.errors import unknown

DEFAULT = "serving_default"


@dataclass(frozen=True)
class Tensor:
    """One input or output of a signature.

    Attributes:
        name: its name in every format.
        shape: sizes; a string for an axis that is open, such as `batch`.
        dtype: name of a NumPy dtype.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    def spec(self) -> tf.TensorSpec:
        """Returns the TensorFlow specification; open axes are None."""
        shape = [None if isinstance(n, str) else n for n in self.shape]
        return tf.TensorSpec(shape, self.dtype, name=self.name)

    def sizes(self, axes: Mapping[str, int]) -> tuple[int, ...]:
        """Returns the shape with every open axis replaced by its size."""
        return tuple(axes[n] if isinstance(n, str) else n for n in self.shape)

    def describe(self) -> dict:
        """Returns `{"shape": [...], "dtype": ...}` for JSON."""
        return {"shape": list(self.shape), "dtype": self.dtype}


@dataclass(frozen=True)
class Signature:
    """One callable of an exported model.

    Args:
        inputs: specification per input: anything with `shape` and `dtype`
            (`tf.TensorSpec`, `keras.InputSpec`, `keras.KerasTensor`), by name.
        function: takes the tensors as keyword arguments, or in a structure
            if `pack` is given, and returns a tensor, a list or a dict of
            them. None calls the model.
        pack: turns the dict of tensors into the model's own argument.
        output_names: names for outputs that come as tensor or list.
        notes: assumptions that the report repeats.
        fixed: axis name -> size, over what is fixed for the whole export;
            None leaves the axis open.
        states: names of the inputs that are states; each comes out again,
            with `_next` after its name.
        resets: whether stateful layers begin at 0 with every call.
        axes: names of the axes of an input or output, by its name, for those
            that are open; `batch` and `time` by default. Only sizes that are
            always equal may have the same name.
        equally_good: of a search, whose answer may be another one where two
            are as good as each other within the tolerance. Takes the arrays
            of the inputs, of the expected and of the actual outputs, by name,
            and (atol, rtol); returns for each row of the batch, bool
            `(batch,)`, whether the actual answer will do, by the Keras model.
            It is asked if integers differ; such a row is not compared.
    """

    inputs: Mapping[str, Any]
    function: Callable | None = None
    pack: Callable[[dict], Any] | None = None
    output_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    fixed: Mapping[str, int | None] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    resets: bool = False
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    equally_good: Callable | None = None

    def tensors(self, fixed: Mapping[str, int]) -> tuple[Tensor, ...]:
        """Returns the inputs with named axes, some of them fixed to a size.

        Args:
            fixed: axis name -> size, such as `{"batch": 1}`.
        """
        fixed = self.closed(fixed)
        found: list[Tensor] = []
        for name, spec in self.inputs.items():
            taken = {
                axis
                for tensor in found
                for axis in tensor.shape
                if isinstance(axis, str)
            }
            found.append(_tensor(name, spec, fixed, self.axes, taken))
        return tuple(found)

    def closed(self, fixed: Mapping[str, int]) -> dict[str, int]:
        """Returns the axes that are fixed in this signature, with sizes."""
        sizes = {**fixed, **self.fixed}
        return {axis: size for axis, size in sizes.items() if size is not None}


def resolve(model: keras.Model, signatures: Any = None) -> dict[str, Signature]:
    """Returns the signatures of a model by name.

    Args:
        model: any Keras model. It need not have been called.
        signatures: None to read them from the model; a specification, or a
            list or dict of them, for the model's inputs; a `Signature`; a
            dict of `Signature` by signature name; or a list of names of
            models inside the model, such as `["encoder", "decoder"]`, which
            leave beside the whole.

    Raises:
        UnsupportedModelError: the model does not tell its inputs, or has no
            inner model of a name.
    """
    if signatures is None:
        return {DEFAULT: _of_model(model)}
    if _is_names(signatures):
        return {
            DEFAULT: _of_model(model),
            **{name: _of_inner_model(model, name) for name in signatures},
        }
    if isinstance(signatures, Signature):
        return {DEFAULT: signatures}
    if isinstance(signatures, Mapping) and signatures:
        if all(isinstance(s, Signature) for s in signatures.values()):
            return dict(signatures)
        if all(_is_spec(s) for s in signatures.values()):
            return {
                DEFAULT: Signature(
                    dict(signatures),
                    pack=dict,
                    output_names=_output_names(model),
                )
            }
    flat = [signatures] if _is_spec(signatures) else signatures
    if isinstance(flat, list | tuple) and flat and all(map(_is_spec, flat)):
        names = unique(
            _own_name(spec) or _argument_name(model, i)
            for i, spec in enumerate(flat)
        )
        single = _is_spec(signatures) or len(flat) == 1
        return {
            DEFAULT: Signature(
                dict(zip(names, flat, strict=True)),
                pack=_first if single else lambda d: list(d.values()),
                output_names=_output_names(model),
            )
        }
    raise UnsupportedModelError(
        "`signatures` must be a tensor specification, a list or dict of them, "
        "a dict of export.Signature, or a list of names of inner models. "
        "Received: "
        f"{signatures!r} (of type {type(signatures).__name__})."
    )


def inner_models(model: keras.Model) -> dict[str, keras.Model]:
    """Returns the models inside a model by name."""
    return {
        layer.name: layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.Model)
    }


def _of_inner_model(model: keras.Model, name: str) -> Signature:
    inner = inner_models(model)
    if name not in inner:
        raise UnsupportedModelError(
            unknown("inner model", name, inner)
            if inner
            else f'The model "{model.name}" has no inner model "{name}": none '
            "of its layers is a keras.Model."
        )
    signature = _of_model(inner[name])
    # The model right around it may itself be inside, as the encoder-decoder
    # of a search is.
    axes = {}
    for around in (model, *inner.values()):
        if inner[name] in around._flatten_layers(include_self=False):
            axes |= _axes(around)
    return replace(
        signature,
        axes=axes,
        function=lambda inputs: inner[name](inputs, training=False),
        pack=lambda tensors: {
            "inputs": signature.pack(tensors) if signature.pack else tensors
        },
    )


def _is_names(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(name, str) for name in value)
    )


def _of_model(model: keras.Model) -> Signature:
    if isinstance(model, keras.Sequential) and model.built and model.inputs:
        structure = model.inputs[0]
    elif getattr(model, "inputs", None) and hasattr(model, "output_names"):
        structure = model.input
    else:
        return _of_subclass(model)
    flat = keras.tree.flatten(structure)
    names = unique(identifier(tensor.name) for tensor in flat)
    return Signature(
        dict(zip(names, flat, strict=True)),
        pack=lambda tensors: keras.tree.pack_sequence_as(
            structure, [tensors[name] for name in names]
        ),
        output_names=_output_names(model),
        axes=_axes(model),
        equally_good=_equally_good(model),
    )


def _of_subclass(model: keras.Model) -> Signature:
    shapes = getattr(model, "_build_shapes_dict", None)
    if not model.built or not shapes:
        raise UnsupportedModelError(
            f'The model "{model.name}" ({type(model).__name__}) does not tell '
            "its inputs: it was neither built nor called. Build it with "
            "`model.build(shape)`, or pass `signatures=tf.TensorSpec((None, "
            '...), name="...")` to export.'
        )
    arguments = {}
    for key, shape in shapes.items():
        if key == "input_shape" or len(shapes) == 1:
            key = _argument_name(model, 0)
        arguments[key.removesuffix("_shape")] = shape
    specs, paths = {}, {}
    for argument, shape in arguments.items():
        for path, leaf in _leaf_shapes(shape, ()):
            name = identifier("_".join(map(str, path)) or argument)
            if isinstance(path[-1:] and path[-1], int):
                name = f"{argument}_{path[-1]}"
            specs[name] = tf.TensorSpec((None, *leaf[1:]), model.input_dtype)
            paths[name] = (argument, path)
    single = len(arguments) == 1

    def pack(tensors):
        packed = {}
        for argument, shape in arguments.items():
            leaves = [t for n, t in tensors.items() if paths[n][0] == argument]
            packed[argument] = _pack_like(shape, leaves)
        return _first(packed) if single else packed

    return Signature(
        specs,
        function=None if single else (lambda **packed: model(**packed)),
        pack=pack,
        output_names=_output_names(model),
        notes=(
            f'The model "{model.name}" does not tell the dtype of its inputs: '
            f"taken to be {model.input_dtype}. Pass `signatures=` to say "
            "otherwise.",
        ),
    )


def _leaf_shapes(shape, path):
    if isinstance(shape, Mapping):
        for key in shape:
            yield from _leaf_shapes(shape[key], (*path, key))
    elif shape and all(isinstance(n, int | None) for n in shape):
        yield path, tuple(shape)
    else:
        for index, item in enumerate(shape):
            yield from _leaf_shapes(item, (*path, index))


def _pack_like(shape, leaves):
    if isinstance(shape, Mapping):
        return dict(zip(shape, leaves, strict=True))
    if len(leaves) == 1 and all(isinstance(n, int | None) for n in shape):
        return leaves[0]
    return list(leaves)


def _first(tensors: dict):
    return next(iter(tensors.values()))


def _is_spec(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _own_name(spec: Any) -> str | None:
    name = getattr(spec, "name", None)
    return identifier(name) if name else None


def _argument_name(model: keras.Model, index: int) -> str:
    names = [
        p.name
        for p in inspect.signature(model.call).parameters.values()
        if p.kind is not p.VAR_KEYWORD and p.name not in ("training", "mask")
    ]
    return names[index] if index < len(names) else f"input_{index}"


def _output_names(model: keras.Model) -> tuple[str, ...]:
    if isinstance(model, keras.Sequential) and model.built and model.layers:
        return (identifier(model.layers[-1].name),)
    names = getattr(model, "output_names", None) or ()
    return tuple(unique(identifier(name) for name in names))


def _axes(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """Returns the names of axes that a model gives in `axis_names`."""
    return dict(getattr(type(model), "axis_names", {}))


def _equally_good(model: keras.Model) -> Callable | None:
    """Returns the method `equally_good` of the layer that makes the outputs."""
    if isinstance(model, keras.Sequential):
        return None
    histories = [
        getattr(tensor, "_keras_history", None)
        for tensor in keras.tree.flatten(model.output)
    ]
    makers = {id(h and h[0]): h and h[0] for h in histories}
    if len(makers) != 1:
        return None
    return getattr(next(iter(makers.values())), "equally_good", None)


def identifier(name: str) -> str:
    """Returns a name with everything but letters, digits and _ replaced."""
    name = re.sub(r"\W", "_", str(name).split(":")[0], flags=re.ASCII)
    return f"_{name}" if not name or name[0].isdigit() else name


def unique(names) -> list[str]:
    """Returns the names, repeated ones numbered."""
    seen: list[str] = []
    for name in names:
        candidate, count = name, 1
        while candidate in seen:
            candidate, count = f"{name}_{count}", count + 1
        seen.append(candidate)
    return seen


def _tensor(
    name: str,
    spec: Any,
    fixed: Mapping[str, int],
    axes: Mapping[str, tuple[str, ...]],
    taken: Collection[str] = (),
) -> Tensor:
    if spec.shape is None or getattr(spec.shape, "rank", 0) is None:
        raise UnsupportedModelError(
            f'The input "{name}" has no known rank. Give a shape, with None '
            "for the sizes that vary."
        )
    shape = tuple(spec.shape)
    dtype = spec.dtype if spec.dtype is not None else "float32"
    return Tensor(
        name,
        name_axes(name, shape, fixed, axes.get(name), taken),
        dtype if isinstance(dtype, str) else tf.as_dtype(dtype).name,
    )


def name_axes(
    name: str,
    shape: tuple[int | None, ...],
    fixed: Mapping[str, int],
    given: tuple[str, ...] | None = None,
    taken: Collection[str] = (),
) -> tuple[int | str, ...]:
    """Names the open axes of a shape.

    The first is `batch`; the second `time`, unless the tensor is a picture
    (rank 4), whose open axes are `height` and `width`; any other is named
    after the tensor and its place. A name that another input has is numbered:
    `time_2`.

    Args:
        name: the tensor's name.
        shape: sizes, None where open.
        fixed: axis name -> size, for axes that are to be closed; `time`
            closes `time_2` as well.
        given: names of the first axes, in the place of those.
        taken: names of the axes of other inputs.
    """
    given = given or ()
    picture = {1: "height", 2: "width"}
    axes = []
    for index, size in enumerate(shape):
        if size is None:
            if index < len(given):
                axis = given[index]
            elif index == 0:
                axis = "batch"
            elif len(shape) == 4 and index in picture:
                axis = picture[index]
            elif index == 1:
                axis = "time"
            else:
                axis = f"{name}_axis_{index}"
            plain, number = axis, 1
            while index >= len(given) and axis in taken:
                number += 1
                axis = f"{plain}_{number}"
            size = fixed.get(axis, fixed.get(plain, axis))
        axes.append(size)
    return tuple(axes)
