"""English prose in the user's own installation."""

import pytest

from toolkit.text import documentation

PACKAGE = {
    "__init__.py": '"""A little package."""\n',
    "a.py": '''"""What is in a.

>>> session = 1
session
| a | table |
-----

It ends here.
"""

class B:
    """A class."""

    async def later(self):
        """In a while."""

def undocumented():
    pass
''',
    "broken.py": '"""Not read."""\ndef (:\n',
    "foreign.py": '"""Gr\u00fc\u00dfe."""\n',
    "notes.txt": "No docstring.",
}


@pytest.fixture
def text(tmp_path, monkeypatch):
    """The corpus, with one small package and one that is not installed."""
    folder = tmp_path / "little_package_of_ours"
    folder.mkdir()
    for name, content in PACKAGE.items():
        (folder / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    names = (folder.name, "package_that_nobody_has")
    monkeypatch.setattr(documentation, "PACKAGES", names)
    return documentation.python_docs.__wrapped__()


def test_docstrings_of_packages_follow_the_language_reference(text):
    assert text.startswith('The "assert" statement')
    assert text.endswith(
        "\n\nA little package.\n\nWhat is in a.\n\nIt ends here.\n\n"
        "A class.\n\nIn a while.\n\n"
    )


def test_packages_are_read_until_there_is_enough(text):
    some = documentation.python_docs.__wrapped__(len(text) - 20)
    assert some == text[:-20]
