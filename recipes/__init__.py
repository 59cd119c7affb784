"""Standard models, one readable file each."""
