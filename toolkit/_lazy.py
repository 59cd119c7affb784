"""Packages whose members are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def attach(
    package: str, members: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Returns `__getattr__`, `__dir__` and `__all__` for a package.

    Args:
        package: the package's `__name__`.
        members: public name -> the submodule that defines it.
    """
    names = sorted(members)

    def __getattr__(name: str) -> object:
        if name not in members:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}"
            )
        module = importlib.import_module(f"{package}.{members[name]}")
        value = getattr(module, name)
        # A submodule of the same name would hide its member after import.
        importlib.import_module(package).__dict__[name] = value
        return value

    return __getattr__, lambda: names, names
