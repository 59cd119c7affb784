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
        "AnalogyResult": "analogies",
        "GradientReport": "gradient_report",
        "RelationTable": "relations",
        "SimilarityResult": "similarity",
        "Stage": "inside",
        "WeightGradient": "gradient_report",
        "check_gradients": "gradients",
        "convolution_kernels": "inside",
        "evaluate_analogies": "analogies",
        "feature_maps": "inside",
        "mean_by_class": "reconstruction",
        "per_class": "classification",
        "posteriors": "classification",
        "principal_components": "reconstruction",
        "project": "reconstruction",
        "read_analogies": "analogies",
        "read_word_pairs": "similarity",
        "relation_table": "relations",
        "robustness": "robust",
        "squared_errors": "reconstruction",
        "to_probabilities": "classification",
        "word_similarity": "similarity",
        "worst_mistakes": "classification",
    },
)
