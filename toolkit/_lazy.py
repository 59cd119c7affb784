"""Packages whose members are imported when they are first used (PEP 562)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def attach(
    package: str, members: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Returns `__getattr__`, `__dir__` and `__all__` for a package.

    No member may be called as its submodule is: importing the submodule would
    put the module in the member's place.

    Args:
        package: the package's `__name__`.
        members: public name -> the submodule that defines it.
    """
    clash = sorted(set(members) & set(members.values()))
    if clash:
        raise ImportError(f"{package}: called as their modules: {clash}")
    names = sorted(members)

    def __getattr__(name: str) -> object:
        if name not in members:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}"
            )
        module = importlib.import_module(f"{package}.{members[name]}")
        value = getattr(module, name)
        importlib.import_module(package).__dict__[name] = value
        return value

    return __getattr__, lambda: names, names
