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
        "Faces": "faces",
        "Images": "images",
        "augmentation": "augment",
        "distort": "distortions",
        "draw_face": "face_pictures",
        "evaluation_batches": "pipeline",
        "load_faces": "faces",
        "load_images": "sources",
        "load_text": "texts",
        "mask_pixels": "masking",
        "order": "ordering",
        "random_affine": "augment",
        "reconstruction_batches": "pipeline",
        "stream_batches": "streams",
        "training_batches": "pipeline",
        "windows_per_epoch": "streams",
        "training_pairs": "pipeline",
    },
)
