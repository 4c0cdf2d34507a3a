"""A fresh account for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.account import account

if TYPE_CHECKING:
    from collections.abc import Generator

    from fanfold.adapters.aws.clients import Clients


@pytest.fixture
def clients() -> Generator[Clients]:
    with account() as opened:
        yield opened
