"""Trained models into SavedModel, ONNX and LiteRT files that are proven.

    import export
    report = export.export(model, "out", ["onnx", "litert"])

Importing `export`, `export.formats` or `export.runtime` costs neither
TensorFlow nor Keras.
"""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "FORMATS": "formats",
        "Signature": "signatures",
        "explain": "explanation",
        "export": "api",
        "verify": "verification",
    },
)
