"""Examples of the documentation that run as they stand."""

import re

from tests.conftest import ROOT


def run_example(page, **settings):
    """Runs the example of a page of the documentation.

    Args:
        page: The page's name in docs/, without its suffix.
        **settings: New values of arguments that the example spells out, such
            as `epochs=1`; without any it runs as it stands.

    Returns:
        The names that the example defines.
    """
    text = (ROOT / "docs" / f"{page}.md").read_text()
    (example,) = re.findall(r"```python run\n(.*?)```", text, re.DOTALL)
    for name, value in settings.items():
        example, count = re.subn(rf"\b{name}=\d\w*", f"{name}={value}", example)
        assert count == 1, (page, name, count)
    names = {}
    exec(example, names)
    return names
