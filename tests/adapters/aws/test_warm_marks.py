"""Pre-warming by marks in a bucket, which is how attempts of a fan-out in the cloud go about it."""

from __future__ import annotations

import pytest

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.agent.run_warmth import RunWarmth
from fanfold.agent.warmth import WORTH_WAITING
from tests.fakes.memory import ManualClock
from tests.kit.account import BUCKET, account, shared_clients

LONG, RUN = b"x" * WORTH_WAITING, "5ce7a10000"


class Told(Exception):
    """Whoever waits was asked."""


def test_one_process_writes_and_the_others_wait_for_it() -> None:
    clock = ManualClock()
    with account():
        store = S3ArtifactStore(shared_clients().s3, BUCKET)
        first, second, third = (RunWarmth(store, RUN, clock) for _ in range(3))
        with first.turn(LONG, _never) as warmed:
            with pytest.raises(Told), second.turn(LONG, _tell):
                pass
            warmed()
        with second.turn(LONG, _never), third.turn(LONG, _never):
            pass
        marks = store.list(f"runs/{RUN}/warm")
    assert sorted(mark.rpartition("-")[2] for mark in marks) == ["begun", "done"]


def _never() -> None:
    raise AssertionError("it waited")


def _tell() -> None:
    raise Told
