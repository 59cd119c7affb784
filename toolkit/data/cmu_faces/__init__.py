"""The TFDS data set `cmu_faces`; importing the builder registers it."""
