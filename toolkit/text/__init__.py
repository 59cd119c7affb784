"""Text without TensorFlow: vocabularies, corpora, sampling of next tokens."""

from toolkit._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CharacterVocabulary": "characters",
        "check_sampling": "sampling",
        "generate": "generation",
        "python_docs": "documentation",
        "sample_token": "sampling",
    },
)
