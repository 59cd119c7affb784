"""Layers, models, data and evaluation for standard Keras models.

Packages load on first use: importing `toolkit` costs neither TensorFlow nor
Keras.
"""
