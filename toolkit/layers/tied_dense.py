"""A dense layer that uses another one's weights, transposed."""

from __future__ import annotations

import keras
from keras import ops

from toolkit.errors import ConfigError
from toolkit.layers._ties import Tied, tie_again


@keras.saving.register_keras_serializable("toolkit")
class TiedDense(Tied):
    """Dense layer with the transposed kernel of another dense layer.

    ```
    y = activation(x W^T + b)        W: the kernel of `tied_to`
    ```

    What the other layer encodes, this one decodes with the same weights: half
    the parameters, and both of its uses contribute to the kernel's gradient.
    Only the bias is its own. A model that holds both layers is saved and
    loaded with the tie; where they lie in different models inside it, make
    the outer one a `TiedModel`. Saved without the other layer, the kernel
    goes with this one.

    Args:
        tied_to: the other layer, a `keras.layers.Dense` that is built when
            this one is called.
        activation: a Keras name or function; by default none.
        use_bias: whether to add a bias.
        bias_initializer: by default zeros.
        bias_regularizer: by default none.
        **options: as for `keras.layers.Layer`.

    Call arguments:
        inputs: float `(batch, ..., units of tied_to)`.

    Returns:
        Float `(batch, ..., inputs of tied_to)`.

    Raises:
        ConfigError: `tied_to` is no dense layer, is not built yet, or has
            another number of units than the inputs.

    Example:
    >>> import keras
    >>> from toolkit.layers import TiedDense
    >>> x = keras.Input((784,))
    >>> encode = keras.layers.Dense(30)
    >>> model = keras.Model(x, TiedDense(encode)(encode(x)))
    >>> model.count_params() == 784 * 30 + 30 + 784
    True

    Source: P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol: Extracting
    and composing robust features with denoising autoencoders (2008), section
    2.2, "tied weights".
    """

    def __init__(
        self,
        tied_to: keras.layers.Dense,
        activation=None,
        use_bias: bool = True,
        bias_initializer="zeros",
        bias_regularizer=None,
        **options,
    ):
        super().__init__(**options)
        if not isinstance(tied_to, keras.layers.Dense):
            raise ConfigError(
                "`tied_to` must be a keras.layers.Dense. Received: "
                f"{tied_to!r} (of type {type(tied_to).__name__})."
            )
        self.tied_to = tied_to
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.supports_masking = True

    def build(self, input_shape):
        """Makes the bias, as wide as the other layer's inputs."""
        if not self.tied_to.built:
            raise ConfigError(
                f'The layer "{self.tied_to.name}", whose kernel '
                f'"{self.name}" uses, has no weights yet. Call or build it '
                "first."
            )
        width, units = self.tied_to.kernel.shape
        if input_shape[-1] != units:
            raise ConfigError(
                f'"{self.name}" is tied to "{self.tied_to.name}" with '
                f"{units} units, so the inputs must be (batch, ..., {units}). "
                f"Received: {tuple(input_shape)}."
            )
        self.bias = (
            self.add_weight(
                name="bias",
                shape=(width,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
            if self.use_bias
            else None
        )

    def call(self, inputs):
        """Returns the decoded inputs."""
        outputs = ops.matmul(inputs, ops.transpose(self.tied_to.kernel))
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        """Returns the shape with the last size that of the other's inputs."""
        return (*input_shape[:-1], self.tied_to.kernel.shape[0])

    def get_config(self):
        """Returns the arguments."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
            "bias_regularizer": keras.regularizers.serialize(
                self.bias_regularizer
            ),
        }


@keras.saving.register_keras_serializable("toolkit")
class TiedModel(keras.Model):
    """Functional model that is tied again when it is loaded.

    Keras loses track of a layer that two inner models share (an encoder's
    `Dense`, used by a `TiedDense` of the decoder): each would get a copy.
    Here every `TiedDense` finds its counterpart again, by name.

    Args:
        inputs: as for `keras.Model`.
        outputs: as for `keras.Model`.
        name: as for `keras.Model`.

    Example:
    >>> import keras
    >>> from toolkit.layers import TiedDense, TiedModel
    >>> x, dense = keras.Input((8,)), keras.layers.Dense(3, name="code")
    >>> encoder = keras.Model(x, dense(x))
    >>> z = keras.Input((3,))
    >>> decoder = keras.Model(z, TiedDense(dense)(z))
    >>> TiedModel(x, decoder(encoder(x))).count_params()
    35
    """

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the model and ties its layers.

        Raises:
            ConfigError: no layer, or several, could be the counterpart.
        """
        model = super().from_config(config, custom_objects)
        tie_again(model)
        return model
