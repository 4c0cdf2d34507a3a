"""A batch in the cloud, whoever carries it on: crashes anywhere, words that come twice or never."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.errors import FanfoldError, UserError
from fanfold.run.artifacts import QUEUE, UNDER_WAY, WAITING, batch_request_file
from fanfold.run.batch_events import BatchResumed, batch_stream
from fanfold.run.events import (
    ApprovalGranted,
    CancelRequested,
    RunCancelled,
    RunOptions,
    RunResumed,
)
from fanfold.run.state import Outcome
from fanfold.steps.answer import answer
from fanfold.steps.answer_batch import answer_batch
from fanfold.steps.intake import Asked, accept
from fanfold.steps.journal import Journal
from fanfold.steps.reap import reap_all
from fanfold.steps.request import Request, submit
from fanfold.steps.start import promote, start
from tests.fakes.batch_account import (
    BATCH,
    SECOND,
    Account,
    Crash,
    Fate,
    again,
    deliver,
    drive,
    request_of,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.batch_state import BatchState


def assert_whole(account: Account, state: BatchState) -> None:
    """Nothing twice, nothing lost, nothing left held."""
    assert state.outcome is Outcome.COMPLETED
    assert all(track.passed for track in state.tracks.values())
    assert account.plain.slots.taken() == []
    for prefix in (QUEUE, WAITING, UNDER_WAY):
        assert account.plain.artifacts.list(prefix) == []
    for stream, events in account.story().items():
        once = Counter(kind for kind, _ in events)
        assert all(once[k] <= 1 for k in ("batch_requested", "run_requested", "run_completed"))
        begun = [str(data) for kind, data in events if kind in ("track_started", "fold_started")]
        assert len(begun) == len(set(begun)), stream


@pytest.fixture(scope="module")
def calm() -> dict[str, list[tuple[str, Any]]]:
    account = Account()
    assert_whole(account, drive(account))
    return account.story()


def operations() -> int:
    account = Account()
    drive(account)
    return account.fate.done


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_operation_leaves_nothing_twice_and_nothing_lost(
    after: bool, calm: dict[str, list[tuple[str, Any]]]
) -> None:
    whole = operations()
    assert whole > 60
    for at in range(1, whole + 1):
        account = Account(Fate(at, after))
        assert_whole(account, drive(account))
        assert told(account.story()) == told(calm), at


def told(story: dict[str, list[tuple[str, Any]]]) -> dict[str, Any]:
    """Without what a crash may add: places in the queue, and an end that was reopened at once."""
    own = story[batch_stream(BATCH)]
    kinds = [kind for kind, _ in own if kind in {"track_started", "fold_started", "batch_resumed"}]
    runs = {s: [k for k, _ in e if k != "run_queued"] for s, e in story.items() if s != BATCH}
    return {"batch": kinds, **{s: k for s, k in runs.items() if s.startswith("run/")}}


def test_what_no_event_came_for_is_found_by_the_sweep() -> None:
    account = Account()
    again(account.begin)
    for _ in range(20):
        for execution in account.under_way():
            with suppress(Crash):
                account.play(execution)
        if account.state().outcome is Outcome.WAITING:
            journal = Journal(account.store, SECOND)
            journal.refresh()
            journal.append(ApprovalGranted("1.1"), actor="user")
        reap_all(account.supervision)
    assert_whole(account, account.state())


@pytest.mark.parametrize("seed", range(25))
def test_words_that_come_twice_late_or_in_any_order_do_no_harm(seed: int) -> None:
    chance, account = random.Random(seed), Account(slots=seed % 3 + 1)
    messages: list[Callable[[], object]] = [
        account.begin,
        lambda: reap_all(account.supervision),
        lambda: promote(account.supervision),
    ]
    for _ in range(120):
        with suppress(FanfoldError):
            chance.choice(messages)()
        for execution in account.under_way():
            if chance.random() < 0.5:
                account.play(execution)
        for execution in account.executions.started:
            if chance.random() < 0.2:
                deliver(account, execution)
            if chance.random() < 0.1:
                start(execution.rpartition("-")[0], account.supervision)
        if SECOND in account.at_rest() and chance.random() < 0.5:
            answer(SECOND, ApprovalGranted("1.1"), account.supervision)
        account.state()
    assert_whole(account, drive(account))


def test_a_word_between_the_rest_and_its_telling_starts_nothing_before_the_batch() -> None:
    account = Account(gated=("first",), slots=2)
    account.begin()
    settle(account)
    first, run_id = account.executions.started[0], request_of("first").run_id
    assert account.state().outcome is Outcome.WAITING
    journal = Journal(account.store, run_id)
    journal.refresh()
    journal.append(ApprovalGranted("1.1"), actor="user")
    granted = account.state().tracks["first"].granted
    assert start(run_id, account.supervision) is False
    track = account.state().tracks["first"]
    assert (track.generation, track.granted >= granted) == (2, True)
    assert account.executions.started[0] == first
    assert account.executions.started[-1] == f"{run_id}-2"
    own = account.story()[batch_stream(BATCH)]
    assert [data["runs"] for kind, data in own if kind == "batch_resumed"] == [[run_id]]


def test_a_cancelled_batch_ends_the_runs_that_wait_for_a_person_too() -> None:
    account = Account(gated=("first",))
    account.begin()
    settle(account)
    first = account.executions.started[0]
    answer_batch(BATCH, CancelRequested("me"), account.supervision, "me")
    answer_batch(BATCH, CancelRequested("me"), account.supervision, "me")
    assert account.executions.went_on == [f"token-{first}"]
    account.play(first)
    deliver(account, first)
    run = Journal(account.store, first.rpartition("-")[0]).refresh()
    assert (run.outcome, account.state().outcome) == (Outcome.CANCELLED, Outcome.CANCELLED)
    assert account.plain.slots.taken() == []
    assert account.plain.artifacts.list(UNDER_WAY) == []
    with pytest.raises(UserError, match="belongs to batch"):
        answer(run.run_id, RunResumed(run.generation + 1), account.supervision)


def test_a_track_whose_plan_is_anothers_fails_alone_and_is_taken_up_by_resume() -> None:
    account = Account(gated=())
    account.plain.lease.acquire("plan/demo/third.md", "another", 60.0)
    request = request_of("third")
    other = replace_request(request, "another")
    submit(account.store, account.plain.artifacts, other, b"")
    state = drive(account)
    assert state.outcome is Outcome.FAILED
    assert [t.ended.outcome for t in state.tracks.values() if t.ended] == [
        *("completed", "completed", "failed")
    ]
    journal = Journal(account.store, "another")
    journal.refresh()
    journal.append(CancelRequested("me"), RunCancelled())
    word = BatchResumed(state.generation + 1)
    for _ in range(2):
        answer_batch(BATCH, word, account.supervision, "me")
    assert drive(account).outcome is Outcome.COMPLETED


def replace_request(request: Request, run_id: str) -> Request:
    return msgspec.structs.replace(request, run_id=run_id, options=RunOptions(engine="aws"))


def test_a_request_for_a_batch_is_accepted_with_its_own_manifest_alone() -> None:
    account = Account()

    def message(batch_id: str) -> str:
        key = batch_request_file(batch_id)
        return json.dumps({"detail-type": "Object Created", "detail": {"object": {"key": key}}})

    artifacts = account.plain.artifacts
    assert accept(message(BATCH), artifacts) == Asked(BATCH, is_batch=True)
    manifest = artifacts.get(f"batches/{BATCH}/batch.json")
    artifacts.put("batches/0123456789/batch.json", manifest)
    with pytest.raises(UserError, match="another batch's"):
        accept(message("0123456789"), artifacts)
    artifacts.put("batches/0123456789/batch.json", b"{}")
    with pytest.raises(UserError, match=r"requests/batches/0123456789\.json"):
        accept(message("0123456789"), artifacts)
