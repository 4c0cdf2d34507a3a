"""Messages that come twice, late, in any order or never: each run once, and no slot leaked.

Every function may be overtaken by others wherever it writes, and may fail there for good.
"""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.errors import FanfoldError
from fanfold.ports import Ending
from fanfold.run.artifacts import QUEUE, run_file, snapshot_file
from fanfold.run.events import CancelRequested, RunCompleted, RunLimits, run_stream
from fanfold.steps.answer import answer
from fanfold.steps.reap import reap_all, reap_execution
from fanfold.steps.request import MANIFEST, Request
from fanfold.steps.start import promote, start
from tests.fakes.scripted_world import CENT, admitted, unit
from tests.fakes.supervision import Office, office

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = ("r1", "r2", "r3", "r4")
SLOTS = 2
STEPS = 40
OVERTAKEN, CUT_OFF = 0.15, 0.02
DEEP = 2


class CutOff(FanfoldError):
    """A function is gone in the middle of its work."""


class Delivery:
    """Four runs of four plans, and everything that the outside may say of them, by `seed`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.desk: Office = office(SLOTS)
        for run_id in RUNS:
            self._ask(run_id)
        self._depth = 0
        supervision = self.desk.supervision
        for port, names in (
            (self.desk.events, ("append",)),
            (supervision.artifacts, ("put", "delete")),
            (supervision.slots, ("claim", "hold", "release")),
            (self.desk.executions, ("start",)),
        ):
            for name in names:
                setattr(port, name, self._crossed(getattr(port, name)))

    def _crossed(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """Others come by right before the write, or nothing comes after it any more."""

        def crossed(*args: Any, **more: Any) -> Any:
            if 0 < self._depth < DEEP and self.random.random() < OVERTAKEN:
                self.happen()
            done = write(*args, **more)
            if self._depth and self.random.random() < CUT_OFF:
                raise CutOff
            return done

        return crossed

    def _ask(self, run_id: str) -> None:
        request = Request(
            run_id=run_id,
            project="demo",
            plan_path=f"{run_id}.md",
            plan_sha256="0" * 64,
            base="c" * 40,
            base_tree="base",
            branch="main",
            author=("Test", "test@localhost"),
            limits=RunLimits(cap=CENT),
        )
        artifacts = self.desk.supervision.artifacts
        artifacts.put(run_file(run_id, MANIFEST), msgspec.json.encode(request))
        artifacts.put(snapshot_file(request.base, "idx"), b"")

    def happen(self) -> None:
        """One thing, which may fail for good in the middle; what it left must be sound."""
        self._depth += 1
        with suppress(FanfoldError):
            self._happen()
        self._depth -= 1

    def _happen(self) -> None:
        run_id, supervision = self.random.choice(RUNS), self.desk.supervision
        self.desk.clock.advance(self.random.choice((0.0, 1.0, 90.0)))
        match self.random.randrange(7):
            case 0 | 1:
                start(run_id, supervision)
            case 2:
                promote(supervision)
            case 3:
                reap_all(supervision)
            case 4:
                self._end(run_id)
            case 5:
                reap_execution(run_id, f"{run_id}-{self._generation(run_id)}", supervision)
            case _:
                self._cancel(run_id)

    def _end(self, run_id: str) -> None:
        """The run's execution ends, as it should or by some failure; word of it may never come."""
        name = f"{run_id}-{self._generation(run_id)}"
        if name not in self.desk.executions.started or name in self.desk.executions.over:
            return
        ending = self.random.choice(list(Ending))
        if ending is Ending.SUCCEEDED:
            self._finish(run_id)
        self.desk.executions.over[name] = ending

    def _finish(self, run_id: str) -> None:
        journal = self.desk.supervision.journal(run_id)
        if journal.refresh().outcome is None:
            run = () if journal.state.admitted else (admitted(unit("a"), checks=False),)
            journal.append(*run, RunCompleted(verified=True))

    def _cancel(self, run_id: str) -> None:
        state = self.desk.supervision.journal(run_id).refresh()
        if state.outcome is None and self.random.random() < 0.2:
            answer(run_id, CancelRequested("ada"), self.desk.supervision)

    def _generation(self, run_id: str) -> int:
        return self.desk.supervision.journal(run_id).refresh().generation

    def settle(self) -> None:
        """The schedule comes by until nothing is left to do."""
        for _ in range(30):
            reap_all(self.desk.supervision)
            for run_id in RUNS:
                start(run_id, self.desk.supervision)
                name = f"{run_id}-{self._generation(run_id)}"
                if name in self.desk.executions.started:
                    self._finish(run_id)
            for name in self.desk.executions.started:
                self.desk.executions.over.setdefault(name, Ending.SUCCEEDED)
        reap_all(self.desk.supervision)


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_every_run_ends_once_and_every_slot_comes_back(first: int) -> None:
    for seed in range(first, first + 10):
        delivery = Delivery(seed)
        desk = delivery.desk
        for _ in range(STEPS):
            delivery.happen()
            held = [slot.run for slot in desk.supervision.slots.taken()]
            assert len(held) == len(set(held)) <= SLOTS, seed
        delivery.settle()
        assert list(desk.supervision.slots.taken()) == [], seed
        assert desk.supervision.artifacts.list(QUEUE) == [], seed
        assert len(desk.executions.started) == len(set(desk.executions.started)), seed
        for run_id in RUNS:
            kinds = [e.event_type for e in desk.events.read(run_stream(run_id))]
            assert kinds.count("run_requested") == 1, seed
            ends = ("run_completed", "run_failed", "run_cancelled")
            assert sum(kinds.count(end) for end in ends) >= 1, (seed, run_id, kinds)
            generations = [-1, *(i for i, k in enumerate(kinds) if k == "run_resumed"), len(kinds)]
            for begin, end in itertools.pairwise(generations):
                assert kinds[begin + 1 : end].count("cancel_requested") <= 1, (seed, kinds)


def test_a_manifest_that_is_gone_stops_nobody_else() -> None:
    delivery = Delivery(0)
    delivery.desk.supervision.artifacts.put(f"{QUEUE}0-r9", b"")
    with pytest.raises(FanfoldError, match="r9"):
        promote(delivery.desk.supervision)
    assert start("r1", delivery.desk.supervision)
