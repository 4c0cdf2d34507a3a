"""One client and one server for all tests: no fault may spoil the connections of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.claude.messages import ClaudeModel
from tests.fakes.messages_api import FakeMessagesApi

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "-".join(("fake", "key", "of", "the", "tests"))


@pytest.fixture(scope="session")
def _line() -> Iterator[tuple[FakeMessagesApi, ClaudeModel]]:
    with FakeMessagesApi(key=KEY) as api:
        model = ClaudeModel(KEY, base_url=api.url)
        yield api, model
        model.close()


@pytest.fixture
def api(_line: tuple[FakeMessagesApi, ClaudeModel]) -> FakeMessagesApi:
    fresh, _ = _line
    fresh.requests.clear()
    fresh.replies.clear()
    return fresh


@pytest.fixture
def model(_line: tuple[FakeMessagesApi, ClaudeModel]) -> ClaudeModel:
    return _line[1]
