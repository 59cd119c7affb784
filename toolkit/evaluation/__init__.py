"""NumPy in, numbers out."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "anomaly_metrics": "anomaly",
        "anomaly_threshold": "anomaly",
        "classification_metrics": "classification",
        "code_metrics": "codes",
        "watch_codes": "codes",
        "confusion_matrix": "classification",
        "GradientReport": "gradient_report",
        "Stage": "inside",
        "WeightGradient": "gradient_report",
        "check_gradients": "gradients",
        "convolution_kernels": "inside",
        "feature_maps": "inside",
        "mean_by_class": "reconstruction",
        "per_class": "classification",
        "posteriors": "classification",
        "principal_components": "reconstruction",
        "project": "reconstruction",
        "robustness": "robust",
        "squared_errors": "reconstruction",
        "to_probabilities": "classification",
        "worst_mistakes": "classification",
    },
)
