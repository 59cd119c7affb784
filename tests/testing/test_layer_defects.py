"""Each check sees the defect that it is there for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.testing.right_layer import Right, check, register
from toolkit.errors import LayerContractError


def test_shapes_that_compute_output_shape_has_wrong():
    class Wrong(Right):
        def compute_output_shape(self, shape):
            return (*shape[:-1], shape[-1] + 1)

    with pytest.raises(
        LayerContractError, match=r"shapes.*4\).*3\).*Let `comp"
    ):
        check(Wrong, (4, 3), "shapes")


def test_shapes_without_the_batch_size():
    class Open(Right):
        def compute_output_shape(self, shape):
            return (None, *shape[1:])

    with pytest.raises(
        LayerContractError, match=r"gives \(None, 3\).*\(4, 3\)"
    ):
        check(Open, (4, 3), "shapes")


def test_shapes_that_differ_from_a_wrong_output_spec():
    class Wrong(Right):
        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, "int32")

    with pytest.raises(LayerContractError, match="int32.*float32"):
        check(Wrong, (4, 3), "shapes")


def test_shapes_with_a_fixed_batch_size():
    class Fixed(Right):
        def call(self, x):
            return super().call(x) + self.extra(x)

        def compute_output_shape(self, shape):
            return shape

        def extra(self, x):
            return ops.zeros((4, 3))

    with pytest.raises(LayerContractError, match="a batch of 1 gives .4, 3."):
        check(Fixed, (4, 3), "shapes")

    class Failing(Fixed):
        def extra(self, x):
            return ops.concatenate([x, ops.zeros((4, 3))], axis=-1)[:, :3]

    with pytest.raises(LayerContractError, match="a batch of 1.*left open"):
        check(Failing, (4, 3), "shapes")


def test_values_that_depend_on_the_static_batch_size():
    class Scaled(Right):
        def call(self, x):
            y = super().call(x)
            return y * x.shape[0] if x.shape[0] else y

    with pytest.raises(
        LayerContractError,
        match="batch of 4 gives other values .*left open.*7.5e-01.*ops.shape",
    ):
        check(Scaled, (4, 3), "shapes")

    class Hidden(Right):  # at rest the weights would hide it
        def call(self, x):
            return x + self.shift if x.shape[0] else x

    with pytest.raises(LayerContractError, match="of 1 gives other values"):
        check(Hidden, (4, 3), "shapes")

    class Drawn(layers.Layer):  # which is what `inference` finds
        def call(self, x):
            return x + tf.random.normal(tf.shape(x))

    assert check(Drawn, (4, 3), "shapes") == ("shapes",)


def test_config_without_an_argument():
    class Forgetful(Right):
        def __init__(self, start=1.0, power=2, **options):
            super().__init__(start, **options)
            self.power = power

    with pytest.raises(LayerContractError, match="lacks the argument `power`"):
        check(Forgetful, (4, 3), "config")


def test_config_without_an_argument_that_is_none_by_default():
    class Forgetful(Right):
        def __init__(self, start=1.0, seed=None, **options):
            super().__init__(start, **options)

    check(Forgetful, (4, 3), "config")  # nothing to remember
    with pytest.raises(LayerContractError, match="lacks the argument `seed`"):
        check(Forgetful, (4, 3), "config", arguments={"seed": 1})


def test_config_that_is_not_that_of_the_layer():
    class Other(Right):
        def get_config(self):
            return {**super().get_config(), "start": self.start + 1}

    with pytest.raises(LayerContractError, match="`start` is 2.0.*and 3.0"):
        check(Other, (4, 3), "config")


def test_config_that_is_no_json():
    class Odd(Right):
        def get_config(self):
            return {**super().get_config(), "start": {1.0}}

    with pytest.raises(LayerContractError, match="cannot be written as JSON"):
        check(Odd, (4, 3), "config")


def test_config_that_cannot_be_made_again_or_loses_the_name():
    class Odd(Right):
        def get_config(self):
            return {**super().get_config(), "more": 1}

    with pytest.raises(LayerContractError, match="cannot be made from.*'more'"):
        check(Odd, (4, 3), "config")

    class Nameless(Right):
        def __init__(self, start=1.0, name=None, dtype=None):
            super().__init__(start, dtype=dtype)

    with pytest.raises(LayerContractError, match="Pass \\*\\*options to super"):
        check(Nameless, (4, 3), "config")


def test_answer_that_is_neither_in_config_nor_in_weights():
    class Moody(Right):
        def build(self, shape):
            super().build(shape)
            self.mood = np.random.default_rng().normal()

        def call(self, x):
            return super().call(x) * self.mood

    with pytest.raises(LayerContractError, match="config: .*another answer"):
        check(Moody, (4, 3), "config")
    register(Moody)
    with pytest.raises(LayerContractError, match="saving: loaded from a file"):
        check(Moody, (4, 3), "saving")


def test_class_that_is_not_registered():
    class Unknown(Right):
        pass

    with pytest.raises(
        LayerContractError, match="`Unknown` is not registered.*Decorate it"
    ) as e:
        check(Unknown, (4, 3), "saving")
    assert e.value.check == "saving"


def test_class_whose_name_is_taken():
    def make():
        @register
        class Taken(Right):
            pass

        return Taken

    first, second = make(), make()
    check(second, (4, 3), "saving")
    with pytest.raises(LayerContractError, match="another class is registered"):
        check(first, (4, 3), "saving")


def test_weight_that_does_not_come_back_from_a_file():
    @register
    class Lost(Right):
        def save_own_variables(self, store):
            pass

        def load_own_variables(self, store):
            pass

    with pytest.raises(LayerContractError, match="saving: loaded from a file"):
        check(Lost, (4, 3), "saving")


def test_random_numbers_at_inference():
    class Noisy(Right):
        def call(self, x, training=False):
            return super().call(x) + tf.random.normal(tf.shape(x))

    with pytest.raises(LayerContractError, match="only if `training` is true"):
        check(Noisy, (4, 3), "inference")


def test_training_by_default():
    class Eager(Right):
        def call(self, x, training=True):
            return super().call(x) * (2.0 if training else 1.0)

    with pytest.raises(LayerContractError, match="without `training`"):
        check(Eager, (4, 3), "inference")


class Mean(Right):
    """The mean over time."""

    def call(self, x):
        return ops.mean(super().call(x), axis=1)

    def compute_mask(self, inputs, previous_mask=None):
        return None


def test_mask_that_is_ignored():
    with pytest.raises(LayerContractError, match="stands at the masked ones"):
        check(Mean, (4, 6, 3), "masks")


def test_mask_that_is_used_passes():
    class MaskedMean(Mean):
        def call(self, x, mask=None):
            x = Right.call(self, x)
            mask = ops.ones(x.shape[:2]) if mask is None else mask
            kept = ops.cast(mask, x.dtype)[..., None]
            return ops.sum(x * kept, axis=1) / ops.sum(kept, axis=1)

    assert check(MaskedMean, (4, 6, 3), "masks") == ("masks",)


def test_mask_that_is_dropped():
    class Dropping(Right):
        def compute_mask(self, inputs, previous_mask=None):
            return None

    with pytest.raises(LayerContractError, match="still has the time axis"):
        check(Dropping, (4, 6, 3), "masks")


def test_mask_that_keras_will_destroy():
    class Taking(Right):
        def __init__(self, **options):
            super().__init__(**options)
            self.supports_masking = False

        def call(self, x, mask=None):
            return super().call(x)

    with pytest.raises(LayerContractError, match="Set self.supports_masking"):
        check(Taking, (4, 6, 3), "masks")

    class Silent(Taking):
        def call(self, x):
            return Right.call(self, x)

    assert check(Silent, (4, 6, 3), "masks") == ()  # Keras warns
    mask = np.arange(6) < np.array([[6], [1], [3], [5]])
    with pytest.raises(LayerContractError, match="still has the time axis"):
        check(Silent, (4, 6, 3), "masks", mask=mask)


def test_mask_of_another_shape():
    class Odd(Right):
        def compute_mask(self, inputs, previous_mask=None):
            return None if previous_mask is None else previous_mask[:, 1:]

    with pytest.raises(LayerContractError, match=r"bool of shape \(4, 5\)"):
        check(Odd, (4, 6, 3), "masks")


def test_weight_that_a_fit_step_leaves_untouched():
    class Idle(Right):
        def call(self, x):
            return self.scale * x + ops.stop_gradient(self.shift)

    with pytest.raises(LayerContractError, match='leaves "shift" untouched'):
        check(Idle, (4, 3), "fit")


def test_fit_that_ends_in_nan():
    class Bad(Right):
        def call(self, x):
            return super().call(x) + ops.sqrt(self.shift * 0)

    with pytest.raises(LayerContractError, match='makes ".*" NaN'):
        check(Bad, (4, 3), "fit")


def test_operation_that_xla_cannot_compile():
    class Python(Right):
        def call(self, x):
            y = super().call(x)
            extra = tf.numpy_function(np.cos, [y], y.dtype)
            return y + ops.stop_gradient(tf.ensure_shape(extra, y.shape))

    assert check(Python, (4, 3), "fit") == ("fit",)
    with pytest.raises(LayerContractError, match="jit: does not compile with"):
        check(Python, (4, 3), "jit")


def test_dtype_that_is_written_into_the_code():
    class Fixed(Right):
        def call(self, x):
            return ops.cast(super().call(x), "float32")

    with pytest.raises(LayerContractError, match="float32 instead of bfloat16"):
        check(Fixed, (4, 3), "mixed_precision")

    class Low(Right):
        def build(self, shape):
            self.scale = self.add_weight(shape=shape[-1:], dtype="bfloat16")
            self.shift = self.add_weight(shape=shape[-1:])

    with pytest.raises(LayerContractError, match="weights must stay float32"):
        check(Low, (4, 3), "mixed_precision")


def test_answer_that_loses_its_digits_in_bfloat16():
    class Losing(Right):
        def call(self, x):
            return super().call(x) + 1000.0 - 1000.0

    with pytest.raises(LayerContractError, match="in bfloat16 is off by"):
        check(Losing, (4, 3), "mixed_precision")


@pytest.mark.parametrize("wrong", ["scale", "inputs"])
def test_gradient_that_is_wrong(wrong):
    class Wrong(Right):
        def call(self, x):
            @tf.custom_gradient
            def product(x, scale):
                def backward(dy):
                    factors = [1.5 if wrong == n else 1.0 for n in ORDER]
                    inputs = dy * scale * factors[0]
                    return inputs, tf.reduce_sum(dy * x, 0) * factors[1]

                return x * scale, backward

            scale = tf.convert_to_tensor(self.scale)
            return product(x, scale) + self.shift

    ORDER = ("inputs", "scale")
    with pytest.raises(LayerContractError, match=f"1 of 3.*\n.*{wrong}"):
        check(Wrong, (4, 3), "gradients")
