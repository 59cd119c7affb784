"""Names of the files in which a run keeps its word vectors."""

VECTORS = "vectors.bin"
VOCABULARY = "vocabulary.txt"
