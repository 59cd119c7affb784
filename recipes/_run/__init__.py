"""What every recipe calls: run directories, fitting, evaluating, exporting."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Run": "run",
        "evaluate_classifier": "classification",
        "fit": "fitting",
        "look_inside": "convolutional",
        "write_model_card": "model_card",
    },
)
