"""Training word vectors on tokens instead of pairs, many steps at a time."""
