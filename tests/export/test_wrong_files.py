"""Files that differ from the model in kinds of places that exporters miss.

Each is exported from one model and compared with another. All of them passed
a comparison on small random numbers.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import export
from export.errors import ParityError
from tests.export.user_models import randomize


@keras.saving.register_keras_serializable("tests")
class Function(layers.Layer):
    """Applies a function; `wrong` files hold another."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, *tensors):
        return self.function(*tensors)


def top(k, change=lambda values, numbers: (values, numbers)):
    def build():
        x = keras.Input((8,), name="x")
        scores = layers.Dense(10, name="scores")(x)

        def rank(scores):
            values, numbers = change(*ops.top_k(scores, k))
            return {"values": values, "numbers": numbers}

        return keras.Model(x, Function(rank, name="rank")(scores))

    return build


def next_number(values, numbers):
    return values, (numbers + 1) % 10


def last_wrong(values, numbers):
    step = ops.convert_to_tensor([0, 0, 1], "int32")
    return values, (numbers + step) % 10


def best(change):
    def build():
        x = keras.Input((8,), name="x")
        scores = layers.Dense(10, name="scores")(x)
        return keras.Model(
            x,
            Function(
                lambda s: change(tf.argmax(s, -1, output_type=tf.int32)),
                name="y",
            )(scores),
        )

    return build


def chain(reverse):
    """Numbers of the best 150 of 200 values that lie 9e-6 apart."""

    def build():
        x = keras.Input((1,), name="x")
        steps = 9e-6 * np.arange(200, dtype="float32")[::-1].copy()

        def rank(x):
            values, numbers = ops.top_k(0.0 * x + steps, 150)
            if reverse:
                numbers = ops.flip(numbers, -1)
            return {"values": values, "numbers": numbers}

        return keras.Model(x, Function(rank, name="rank")(x))

    return build


def two_tables(zeroed):
    def build():
        text = keras.Input((None,), dtype="int32", name="text")
        language = keras.Input((1,), dtype="int32", name="language")
        words = layers.Embedding(30_000, 8, name="words")
        known = layers.Embedding(3, 8, name="languages")
        y = layers.GlobalAveragePooling1D()(words(text))
        y = layers.Dense(2)(y + known(language)[:, 0])
        return keras.Model([text, language], y)

    def change(model):
        table = model.get_layer("words").embeddings
        values = table.numpy()
        values[3:] = 0
        table.assign(values)

    build.change = change if zeroed else None
    return build


def unary(shape, function, dtype="float32"):
    def build():
        x = keras.Input(shape, dtype=dtype, name="x")
        y = Function(function, name="f")(x)
        return keras.Model(x, layers.Dense(3, name="y")(y))

    return build


def picture(x):
    return ops.reshape(ops.cast(x, "float32") / 255.0, (-1, 16))


def clipped_picture(x):
    return picture(ops.minimum(x, ops.cast(1, x.dtype)))


def dimmed_picture(x):
    return picture(ops.minimum(x, 10.0))


def first_steps(x):
    return ops.sum(x[:, :9], axis=1)


def boxes(wrong):
    """Four coordinates of pixels and one small confidence in each row."""

    def build():
        x = keras.Input((4,), name="x")

        def scale(x):
            box = 300.0 + 10.0 * x
            confidence = 0.00088 * (1.0 + 0.1 * ops.tanh(x[:, :1]))
            confidence = confidence + (0.0008 if wrong else 0.0)
            return ops.concatenate([box, confidence], axis=-1)

        return keras.Model(x, Function(scale, name="y")(x))

    return build


def classes(seed):
    def build():
        x = keras.Input((2,), name="x")
        start = keras.initializers.RandomNormal(0.0, 0.05, seed=seed)
        y = layers.Dense(60_000, "softmax", kernel_initializer=start)(x)
        return keras.Model(x, y)

    build.own_weights = True
    return build


def priced(activation):
    """A price near 250,000 beside a probability."""

    def build():
        x = keras.Input((8,), name="x")
        price = layers.Dense(1, name="price")(x)
        chance = layers.Dense(1, name="chance")(x)
        join = Function(
            lambda p, c: ops.concatenate(
                [250_000 + 80_000 * p, activation(c)], -1
            ),
            name="y",
        )
        return keras.Model(x, join(price, chance))

    return build


def anchors(share):
    """Boxes and classes before anchors, as detectors have them."""

    def build():
        x = keras.Input((8,), name="x")
        y = layers.Dense(6 * 20, name="d")(x)

        def arrange(y):
            y = ops.reshape(y, (-1, 6, 20))
            boxes = 300 + 50 * ops.tanh(y[:, :4])
            scores = share * ops.sigmoid(y[:, 4:])
            return ops.concatenate([boxes, scores], 1)

        return keras.Model(x, Function(arrange, name="y")(y))

    return build


def barred(function):
    """Logits of which some are barred by -1e9."""

    def build():
        x = keras.Input((8,), name="x")
        y = layers.Dense(6, name="d")(x)
        allowed = np.array([1, 0, 1, 1, 0, 1], bool)
        bar = Function(lambda y: ops.where(allowed, function(y), -1e9))
        return keras.Model(x, bar(y))

    return build


def counted(limit):
    """The sum of so many steps as an input says."""

    def build():
        x = keras.Input((None, 2), name="x")
        length = keras.Input((), dtype="int32", name="length")

        def total(x, n):
            n = ops.minimum(n, limit) if limit else n
            mask = tf.sequence_mask(n, tf.shape(x)[1], tf.float32)
            return ops.sum(x * mask[:, :, None], 1)

        return keras.Model([x, length], Function(total, name="y")(x, length))

    return build


def late(activation):
    """What a model says after step 40 alone."""

    def build():
        x = keras.Input((None, 3), name="x")
        y = layers.Dense(4, activation, name="d")(x)
        return keras.Model(x, y[:, 40:])

    return build


def positions(rows):
    """Learned positions, of which a file knows only some."""

    def build():
        x = keras.Input((None, 4), name="x")
        table = layers.Embedding(300, 4, name="positions")

        def add(x):
            steps = tf.minimum(tf.range(tf.shape(x)[1]), rows - 1)
            return x + table(steps)[None]

        table.build()
        layer = Function(add, name="y")
        layer.table = table
        return keras.Model(x, layer(x))

    return build


def hashed(dtype):
    def build():
        x = keras.Input((4,), dtype="int64", name="x")

        def rest(x):
            return ops.cast(ops.cast(x, dtype) % 1009, "float32")

        return keras.Model(x, Function(rest, name="y")(x))

    return build


PAIRS = {
    "a hard sigmoid beside a price": (
        priced(ops.hard_sigmoid),
        priced(ops.sigmoid),
    ),
    "classes before anchors": (anchors(0.5), anchors(1.0)),
    "relu of barred logits": (barred(ops.relu), barred(lambda y: y)),
    "a length of never more than five": (counted(5), counted(None)),
    "an activation of late steps": (late("relu"), late("tanh")),
    "positions beyond 200": (positions(200), positions(300)),
    "numbers cut to 32 bits": (hashed("int32"), hashed("int64")),
    "missing numbers": (
        unary((4,), lambda x: x),
        unary((4,), lambda x: ops.where(ops.isnan(x), 7.0, x)),
    ),
    "a cap at a thousand": (
        unary((4,), lambda x: ops.minimum(x, 1000.0)),
        unary((4,), lambda x: x),
    ),
    "a threshold that includes": (
        unary((4,), lambda x: ops.cast(x >= 0.5, "float32")),
        unary((4,), lambda x: ops.cast(x > 0.5, "float32")),
    ),
    "the number of the best": (top(1, next_number), top(1)),
    "the last number of three": (top(3, last_wrong), top(3)),
    "an argmax of a neighbour": (
        best(lambda n: (n + 1) % 10),
        best(lambda n: n),
    ),
    "a ranking in reverse": (chain(True), chain(False)),
    "rows of a large table": (two_tables(True), two_tables(False)),
    "a picture of bytes cut at 1": (
        unary((4, 4), clipped_picture, "uint8"),
        unary((4, 4), picture, "uint8"),
    ),
    "a picture cut at 10": (
        unary((4, 4), dimmed_picture),
        unary((4, 4), picture),
    ),
    "relu for relu6": (unary((4,), ops.relu), unary((4,), ops.relu6)),
    "steps beyond the ninth": (
        unary((None, 4), first_steps),
        unary((None, 4), lambda x: ops.sum(x, axis=1)),
    ),
    "a confidence between pixels": (boxes(True), boxes(False)),
    "a softmax of another seed": (classes(1), classes(2)),
}


def models_of(kind):
    """The wrong and the right model of a kind, with the same weights."""
    build_wrong, build_right = PAIRS[kind]
    wrong, right = build_wrong(), build_right()
    if not hasattr(build_wrong, "own_weights"):
        randomize(right)
        wrong.set_weights(right.get_weights())
    if getattr(build_wrong, "change", None):
        build_wrong.change(wrong)
    return wrong, right


@pytest.mark.parametrize("kind", PAIRS)
def test_a_wrong_file_is_refused(kind, tmp_path):
    wrong, right = models_of(kind)
    files = export.export(wrong, tmp_path / "wrong", ["onnx"]).paths
    with pytest.raises(ParityError, match="does not equal the Keras model"):
        export.verify(files["onnx"], right)
    if kind != "a softmax of another seed":  # right or wrong, both are large
        assert export.export(right, tmp_path / "right", ["onnx"]).formats
