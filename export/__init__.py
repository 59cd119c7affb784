"""Trained models into SavedModel, ONNX and LiteRT files that are proven."""
