"""NumPy in, numbers out."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "classification_metrics": "classification",
        "code_metrics": "codes",
        "watch_codes": "codes",
        "confusion_matrix": "classification",
        "Stage": "inside",
        "convolution_kernels": "inside",
        "feature_maps": "inside",
        "per_class": "classification",
        "posteriors": "classification",
        "robustness": "robust",
        "to_probabilities": "classification",
        "worst_mistakes": "classification",
    },
)
