"""A batch in the cloud, whoever carries it on: crashes anywhere, words that come twice or never."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.errors import FanfoldError, UserError
from fanfold.ports import Ending
from fanfold.run.artifacts import QUEUE, UNDER_WAY, WAITING, batch_request_file, snapshot_file
from fanfold.run.batch_events import BatchRequested, BatchResumed, TrackSpec, batch_stream
from fanfold.run.events import (
    ApprovalGranted,
    ApprovalRequested,
    CancelRequested,
    PlanWrittenBack,
    RunAdmitted,
    RunCancelled,
    RunCompleted,
    RunLimits,
    RunOptions,
    RunResumed,
    UnitSpec,
)
from fanfold.run.state import Outcome
from fanfold.steps.answer import answer
from fanfold.steps.answer_batch import answer_batch
from fanfold.steps.batch_request import Batch
from fanfold.steps.carry_on import carry_on
from fanfold.steps.hand_in import hand_in_batch
from fanfold.steps.intake import Asked, accept
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.reap import reap_all, reap_execution
from fanfold.steps.request import Request, load_request, submit
from fanfold.steps.rest import Held, hold
from fanfold.steps.start import promote, start
from tests.fakes.supervision import MemoryExecutions, office

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.run.batch_state import BatchState
    from fanfold.steps.wiring import Supervision

BATCH, BASE, CENT = "ba7c400000", "c" * 40, 10_000
GATED = ("second",)
NEEDS = {"second": ("first",), "third": ("first",)}
LIMITS = RunLimits(cap=10 * CENT, slice=CENT)


class Crash(Exception):
    """The process of a function is gone."""


@dataclass
class Fate:
    """Ends the process at its operation number `at`, before or `after` it has had its effect."""

    at: int = 0
    after: bool = False
    done: int = 0

    def around(self, operation: Callable[[], Any]) -> Any:
        self.done += 1
        if self.done == self.at and not self.after:
            raise Crash
        result = operation()
        if self.done == self.at:
            raise Crash
        return result


class Fated:
    """A store, or the executions: what changes something is an operation of `fate`."""

    CHANGES = frozenset({"append", "put", "delete", "start", "go_on", "claim", "hold", "release"})

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self.CHANGES:
            return found

        def operate(*args: Any, **kwargs: Any) -> Any:
            return self._fate.around(lambda: found(*args, **kwargs))

        return operate


@dataclass
class Account:
    """A batch of three tracks in an account in memory, whose executions this test plays."""

    fate: Fate = field(default_factory=Fate)
    slots: int = 2
    gated: Sequence[str] = GATED

    def __post_init__(self) -> None:
        desk = office(self.slots)
        self.plain, self.store = desk.supervision, desk.events
        self.executions: MemoryExecutions = desk.executions
        events: Any = Fated(desk.events, self.fate)
        fated: dict[str, Any] = {
            "artifacts": Fated(desk.supervision.artifacts, self.fate),
            "slots": Fated(desk.supervision.slots, self.fate),
            "executions": Fated(desk.executions, self.fate),
        }
        self.supervision: Supervision = replace(
            desk.supervision,
            journal=partial(Journal, events),
            batch=partial(BatchJournal, events),
            **fated,
        )
        self._ask()

    def _ask(self) -> None:
        tracks = ("first", "second", "third")
        requests = {track: _request(track) for track in tracks}
        specs = tuple(
            TrackSpec(t, f"{t}.md", t, requests[t].run_id, 5 * CENT, 5 * CENT, 1, NEEDS.get(t, ()))
            for t in tracks
        )
        asked = BatchRequested(BATCH, BASE, specs, 90 * CENT, CENT)
        artifacts = self.plain.artifacts
        artifacts.put(snapshot_file(BASE, "idx"), b"")
        hand_in_batch(artifacts, Batch(asked, "base tree", requests), dict.fromkeys(tracks, b""))

    def state(self) -> BatchState:
        state = self.plain.batch(BATCH).refresh()
        assert state.available >= 0
        return state

    def begin(self) -> None:
        carry_on(BATCH, self.supervision)

    def play(self, execution: str) -> None:
        """What an execution does: to its end, or to a gate, as often as it is asked."""
        run_id, _, generation = execution.rpartition("-")
        journal = Journal(self.store, run_id)
        state = journal.refresh()
        if state.generation != int(generation) or state.outcome is not None:
            self.executions.over[execution] = Ending.SUCCEEDED
            return
        if not state.admitted:
            units = (UnitSpec("1.1", ("1.1",), kind="gate"),) if self._is_gated(run_id) else ()
            journal.append(RunAdmitted("tree", units, (), LIMITS, options=state.options))
            self._write(journal)
            if units:
                journal.append(ApprovalRequested("1.1", "tree", "tree"))
        if journal.state.cancelled:
            journal.append(RunCancelled())
        elif any(gate.state == "waiting" for gate in journal.state.gates.values()):
            self._rest(journal, execution)
            return
        else:
            journal.append(RunCompleted(verified=True))
        self.executions.over[execution] = Ending.SUCCEEDED

    def _is_gated(self, run_id: str) -> bool:
        request = load_request(self.plain.artifacts, run_id)
        return request.plan_path.removesuffix(".md") in self.gated

    def _write(self, journal: Journal) -> None:
        tip = f"{journal.run_id}{journal.state.generation:030}"
        journal.append(PlanWrittenBack("branch", tip, "tree", "tree", {}, ()))

    def _rest(self, journal: Journal, execution: str) -> None:
        """The end of `steps.wait`."""
        held = Held(journal.state.generation, f"token-{execution}")
        self.supervision.slots.release(journal.run_id)
        hold(journal.run_id, held, self.supervision.artifacts)
        start(journal.run_id, self.supervision)

    def at_rest(self) -> set[str]:
        return {entry.removeprefix(WAITING) for entry in self.plain.artifacts.list(WAITING)}

    def under_way(self) -> list[str]:
        """Executions that have something to do."""
        over, resting = self.executions.over, self.at_rest()
        live = [each for each in self.executions.started if each not in over]
        return [each for each in live if not self._rests(each, resting)]

    def _rests(self, execution: str, resting: set[str]) -> bool:
        run_id, _, generation = execution.rpartition("-")
        state = Journal(self.store, run_id).refresh()
        return run_id in resting and state.generation == int(generation)

    def story(self) -> dict[str, list[tuple[str, Any]]]:
        streams = sorted(self.store.streams())
        return {s: [(e.event_type, e.data) for e in self.store.read(s)] for s in streams}


def _request(track: str) -> Request:
    return Request(
        run_id=f"{track:0<10}"[:10],
        project="demo",
        plan_path=f"{track}.md",
        plan_sha256=hashlib.sha256(b"").hexdigest(),
        base=BASE,
        base_tree="base tree",
        branch="main",
        author=("Test", "test@localhost"),
        limits=LIMITS,
        options=RunOptions(engine="aws", batch=BATCH),
    )


SECOND = _request("second").run_id


def again(call: Callable[[], object]) -> None:
    """As a queue, a rule or a person does: what crashed, or was overtaken, is tried again."""
    for _ in range(3):
        try:
            call()
        except (Crash, FanfoldError):
            continue
        return
    call()


def drive(account: Account) -> BatchState:
    """To the end, with all that is delivered on the way."""
    again(account.begin)
    for _ in range(30):
        for execution in account.under_way():
            again(lambda execution=execution: account.play(execution))
            again(lambda execution=execution: deliver(account, execution))
        if not account.under_way() and account.state().outcome is Outcome.WAITING:
            again(lambda: answer(SECOND, ApprovalGranted("1.1"), account.supervision))
        elif not account.under_way() and account.state().outcome is not None:
            break
        again(lambda: reap_all(account.supervision))
    return account.state()


def deliver(account: Account, execution: str) -> None:
    if execution in account.executions.over:
        reap_execution(execution.rpartition("-")[0], execution, account.supervision)


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
    first, run_id = account.executions.started[0], _request("first").run_id
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


def settle(account: Account) -> None:
    """Everything that can go on without a person does, and is told of."""
    while live := account.under_way():
        for execution in live:
            account.play(execution)
            deliver(account, execution)


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
    request = _request("third")
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
