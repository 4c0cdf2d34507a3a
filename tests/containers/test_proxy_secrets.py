"""The proxy reads the two secrets that it is told of; its log has their names, never a value."""

from __future__ import annotations

import logging

import pytest

from containers.proxy.main import _noted  # pyright: ignore[reportPrivateUsage]
from fanfold.errors import AccessDenied
from fanfold.run.access import Access

VALUE = "value-" + "of-a-secret"


def test_each_new_value_is_told_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fanfold.proxy")
    read = _noted(lambda name, fresh: VALUE, Access("proxy", secrets=("a/key",)))
    assert [read("a/key", fresh) for fresh in (False, False, True)] == [VALUE] * 3
    assert [r.getMessage() for r in caplog.records] == ["proxy may secret.read: a/key"] * 2
    with pytest.raises(AccessDenied, match="proxy may not read the secret b; allowed: a/key"):
        read("b", False)
