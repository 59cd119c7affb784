"""The embedded corpus: English prose in the user's own installation."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

# Dependencies of ours that hold much prose, in the order they are read.
PACKAGES = (
    "numpy", "keras", "sklearn", "matplotlib", "tensorflow_datasets", "PIL",
    "jinja2", "rich", "onnx", "h5py", "filelock", "tensorflow",
)  # fmt: skip


@functools.lru_cache(maxsize=2)
def python_docs(characters: int = 0) -> str:
    """Returns the language reference of Python, then docstrings of packages.

    The packages are read, never imported. The text depends on the installed
    versions, so whoever reports a number reports the text's sha256 too.

    Args:
        characters: how many to return at most; 0 for all, some 17 million.

    Example:
    >>> from toolkit.text import python_docs
    >>> len(python_docs(1000))
    1000

    Source: `pydoc_data.topics`; the docstrings of the packages in `PACKAGES`.
    """
    parts, length = [], 0
    for part in _parts():
        part = prose(part)
        if not part:
            continue
        parts.append(part + "\n\n")
        length += len(parts[-1])
        if characters and length >= characters:
            break
    text = "".join(parts)
    return text[:characters] if characters else text


def prose(text: str) -> str:
    """Returns a docstring without sessions of Python, rules and tables.

    A session ends at a blank line; a line without any letter is a rule.
    """
    kept, session = [], False
    for line in text.splitlines():
        session = line.lstrip().startswith(">>>") or (
            session and bool(line.strip())
        )
        blank = not line.strip()
        ruled = not blank and not re.search("[A-Za-z]", line)
        if (
            session
            or ruled
            or "|" in line
            or (blank and not (kept and kept[-1]))
        ):
            continue
        kept.append(line.rstrip())
    return "\n".join(kept).strip()


def _parts() -> Iterator[str]:
    from pydoc_data import topics

    for name in sorted(topics.topics):
        yield topics.topics[name]
    for package in PACKAGES:
        yield from _docstrings(package)


def _docstrings(package: str) -> Iterator[str]:
    """Yields the docstrings of an installed package, file by file."""
    spec = importlib.util.find_spec(package)
    for root in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(root).rglob("*.py")):
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                continue  # templates and files for other versions of Python
            for node in ast.walk(tree):
                if isinstance(
                    node,
                    ast.Module
                    | ast.ClassDef
                    | ast.FunctionDef
                    | ast.AsyncFunctionDef,
                ):
                    found = ast.get_docstring(node, clean=False)
                    if found and found.isascii():
                        yield inspect.cleandoc(found)
