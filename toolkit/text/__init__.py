"""Text without TensorFlow: vocabularies, corpora, sampling of next tokens."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CharacterVocabulary": "characters",
        "TOKENS": "tokens",
        "Vocabulary": "vocabulary",
        "WordVectors": "word_vectors",
        "check_sampling": "sampling",
        "generate": "generation",
        "python_docs": "documentation",
        "read_word2vec": "word2vec_format",
        "sample_token": "sampling",
        "tokenizer": "tokens",
        "write_word2vec": "word2vec_format",
    },
)
