"""Fitting Keras models: callbacks, checkpoints, guards."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CarriedState": "carried_state",
        "Checkpoints": "checkpoints",
        "Fitted": "fitting",
        "GradientNorms": "norms",
        "Interrupted": "interruption",
        "Interruption": "interruption",
        "MetricsFile": "metrics_file",
        "NaNGuard": "nan_guard",
        "Progress": "progress",
        "SumSquaredError": "squared_error",
        "TargetAccuracy": "target_accuracy",
        "TensorBoardScalars": "tensorboard",
        "Trace": "traces",
        "fit": "fitting",
        "gradient_norms": "norms",
        "load_state": "state",
        "reset_carried_state": "carried_state",
        "save_state": "state",
        "steps_per_execution": "steps",
        "with_carried_state": "carried_state",
    },
)
