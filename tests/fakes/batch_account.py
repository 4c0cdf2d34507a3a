"""A batch in an account in memory: played, and broken off anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fanfold.errors import FanfoldError
from fanfold.ports import Ending
from fanfold.run.artifacts import WAITING, snapshot_file
from fanfold.run.batch_events import BatchRequested, TrackSpec
from fanfold.run.events import (
    ApprovalGranted,
    ApprovalRequested,
    PlanWrittenBack,
    RunAdmitted,
    RunCancelled,
    RunCompleted,
    RunLimits,
    RunOptions,
    UnitSpec,
)
from fanfold.run.state import Outcome
from fanfold.steps.answer import answer
from fanfold.steps.batch_request import Batch
from fanfold.steps.carry_on import carry_on
from fanfold.steps.hand_in import hand_in_batch
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.reap import reap_all, reap_execution
from fanfold.steps.request import Request, load_request
from fanfold.steps.rest import Held, hold
from fanfold.steps.start import start
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
        requests = {track: request_of(track) for track in tracks}
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


def request_of(track: str) -> Request:
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


SECOND = request_of("second").run_id


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


def settle(account: Account) -> None:
    """Everything that can go on without a person does, and is told of."""
    while live := account.under_way():
        for execution in live:
            account.play(execution)
            deliver(account, execution)
