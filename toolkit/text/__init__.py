"""Text without TensorFlow: vocabularies, corpora, sampling of next tokens."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CharacterTokenizer": "character_tokenizer",
        "CharacterVocabulary": "characters",
        "END": "token_table",
        "PAD": "token_table",
        "RunningText": "running_text",
        "START": "token_table",
        "SubwordTokenizer": "subword_tokenizer",
        "TOKENS": "tokens",
        "UNKNOWN": "token_table",
        "Vocabulary": "vocabulary",
        "WordTokenizer": "word_tokenizer",
        "WordVectors": "word_vectors",
        "check_sampling": "sampling",
        "generate": "generation",
        "load_tokenizer": "token_vocabularies",
        "python_docs": "documentation",
        "read_word2vec": "word2vec_format",
        "sample_token": "sampling",
        "tokenizer": "tokens",
        "write_word2vec": "word2vec_format",
    },
)
