"""Files that are either whole or absent, and directories with one owner.

Imports no TensorFlow.
"""

from toolkit.io.atomic import (
    atomic_path,
    atomic_write,
    duplicate,
    named_errors,
    remove_temporaries,
    synchronize,
)
from toolkit.io.directory_check import DirectoryCheck
from toolkit.io.lock import Lock
from toolkit.io.staging import publish, recover, staging

__all__ = [
    "DirectoryCheck",
    "Lock",
    "atomic_path",
    "atomic_write",
    "duplicate",
    "named_errors",
    "publish",
    "recover",
    "remove_temporaries",
    "staging",
    "synchronize",
]
