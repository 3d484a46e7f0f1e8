"""Two workers share the files (`make test`): the two that take longest begin, so that neither is waited for alone."""

from __future__ import annotations

import os

import pytest

os.environ.pop("COLUMNS", None)  # a worker is told how wide its master's terminal is; what is piped has no width
_FIRST = ("test_stack.py", "test_readme.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; otherwise as they are written."""
    items.sort(key=lambda item: item.path.name not in _FIRST)
