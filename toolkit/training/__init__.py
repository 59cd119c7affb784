"""Fitting Keras models: callbacks, checkpoints, guards."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Checkpoints": "checkpoints",
        "Fitted": "fitting",
        "Interrupted": "interruption",
        "Interruption": "interruption",
        "MetricsFile": "metrics_file",
        "NaNGuard": "nan_guard",
        "Progress": "progress",
        "SumSquaredError": "squared_error",
        "TensorBoardScalars": "tensorboard",
        "Trace": "traces",
        "fit": "fitting",
        "load_state": "state",
        "save_state": "state",
        "steps_per_execution": "steps",
    },
)
