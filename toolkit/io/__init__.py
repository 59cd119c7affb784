"""Files that are either whole or absent, and directories with one owner.

Imports no TensorFlow.
"""

from toolkit.io.atomic import atomic_path, atomic_write
from toolkit.io.lock import Lock

__all__ = ["Lock", "atomic_path", "atomic_write"]
