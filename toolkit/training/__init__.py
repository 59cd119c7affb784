"""Fitting Keras models: callbacks, checkpoints, guards."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CarriedState": "carried_state",
        "Checkpoints": "checkpoints",
        "Clock": "clock",
        "DirectoryGuard": "directory_guard",
        "Fitted": "fitting",
        "GradientNorms": "norms",
        "Interrupted": "signals",
        "Interruption": "interruption",
        "MetricsFile": "metrics_file",
        "NaNGuard": "nan_guard",
        "Progress": "progress",
        "Remembered": "checkpoints",
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
