"""What every recipe calls: run directories, fitting, evaluating, exporting."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Run": "run",
        "evaluate_autoencoder": "autoencoding",
        "evaluate_codes": "encoding",
        "evaluate_classifier": "classification",
        "fit": "fitting",
        "keep_gradient_norms": "gradients",
        "keep_hidden_units": "hidden_units",
        "look_inside": "convolutional",
        "measure_lengths": "lengths",
        "write_arrays": "evaluation",
        "write_evaluation": "evaluation",
        "write_model_card": "model_card",
    },
)
