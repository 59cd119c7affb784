"""Data: a source string in, arrays and `tf.data` pipelines out.

Importing the package costs no TensorFlow; `training_batches`,
`evaluation_batches`, augmentation and `tfds:` sources import it when used.
"""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Corpus": "corpus",
        "DISTORTIONS": "distortions",
        "ImageData": "images",
        "Faces": "faces",
        "Images": "images",
        "TextData": "texts",
        "WordText": "word_texts",
        "augmentation": "augment",
        "block_size": "text_blocks",
        "cut_batches": "cutting",
        "cut_sequences": "cutting",
        "distort": "distortions",
        "draw_face": "face_pictures",
        "encode_text": "word_texts",
        "evaluation_batches": "pipeline",
        "load_faces": "face_sources",
        "load_images": "sources",
        "load_text": "texts",
        "load_words": "word_texts",
        "mask_pixels": "masking",
        "masked_pixels": "masking",
        "order": "ordering",
        "random_affine": "augment",
        "read_corpus": "corpus",
        "reconstruction_batches": "pipeline",
        "steps_in": "cutting",
        "steps_per_epoch": "ordering",
        "stream_batches": "streams",
        "text_block_batches": "text_blocks",
        "to_inputs": "images",
        "training_batches": "pipeline",
        "windows_per_epoch": "streams",
        "training_pairs": "pipeline",
        "EncodedPairs": "encoded_pairs",
        "PairBuckets": "pair_buckets",
        "PairData": "pairs",
        "bucket_pairs": "pair_buckets",
        "encode_pairs": "encoded_pairs",
        "evaluation_pair_batches": "pair_batches",
        "load_pairs": "pairs",
        "training_pair_batches": "pair_batches",
    },
)
