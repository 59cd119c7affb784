"""Data: a source string in, arrays and `tf.data` pipelines out.

Importing the package costs no TensorFlow; `training_batches`,
`evaluation_batches`, augmentation and `tfds:` sources import it when used.
"""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "DISTORTIONS": "distortions",
        "ImageData": "images",
        "Images": "images",
        "augmentation": "augment",
        "distort": "distortions",
        "evaluation_batches": "pipeline",
        "load_images": "sources",
        "order": "ordering",
        "random_affine": "augment",
        "training_batches": "pipeline",
        "training_pairs": "pipeline",
    },
)
