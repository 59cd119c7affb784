"""Imports TensorFlow and Keras, without the lines that help nobody."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

from toolkit.errors import ConfigError


def load_tensorflow() -> ModuleType:
    """Returns the `tensorflow` module, imported in silence.

    Its C++ side greets on standard error before any log level counts; the
    greeting is swallowed, unless the import fails: then it is shown.

    Raises:
        ConfigError: Keras is set to another backend than TensorFlow.
    """
    if "tensorflow" not in sys.modules or "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        with silence():
            import keras
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for CUDA, aloud
        if keras.backend.backend() != "tensorflow":
            raise ConfigError(
                "This toolkit runs on Keras' TensorFlow backend. Received: "
                f'backend "{keras.backend.backend()}". Unset KERAS_BACKEND '
                "or set it to tensorflow."
            )
        import absl.logging

        absl.logging.set_verbosity(absl.logging.ERROR)
        tf.get_logger().setLevel("ERROR")
    import tensorflow as tf

    return tf


@contextlib.contextmanager
def silence() -> Iterator[list[str]]:
    """Holds back what C++ code writes to standard error.

    The text is written after all when the block raises.

    Yields:
        A list that holds the text once the block has ended.
    """
    try:
        stderr = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a notebook, a test
        stderr = 2
    sys.stderr.flush()
    saved = os.dup(stderr)
    text: list[str] = []
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), stderr)
        try:
            yield text
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, stderr)
            os.close(saved)
            held.seek(0)
            text.append(held.read().decode(errors="replace"))
