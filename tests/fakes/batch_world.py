"""Batches played by the decider alone: tracks end as fate says, in any order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from fanfold.run.batch import Await, Close, Over, Start, decide
from fanfold.run.batch_events import (
    BatchEnded,
    BatchRequested,
    BatchResumed,
    FoldEnded,
    FoldStarted,
    TrackEnded,
    TracksFunded,
    TrackSpec,
    TrackStarted,
)
from fanfold.run.batch_state import BatchState, TrackState, fold
from fanfold.run.events import CancelRequested, Recorded
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fanfold.run.batch_state import FoldState
    from fanfold.run.events import EventData

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DOLLAR = 1_000_000


class Fate(NamedTuple):
    """How the runs of a track end, the last one for ever, and what share of their cap is spent."""

    outcomes: tuple[Outcome, ...] = (Outcome.COMPLETED,)
    share: float = 0.5
    unpaid: int = 0


def track(name: str, *needs: str, need: float = 1.0, units: int = 1) -> TrackSpec:
    """A track that needs `need` dollars."""
    micros = int(need * DOLLAR)
    return TrackSpec(
        name, f"{name}/plan.md", name.title(), f"run-{name}", micros, 2 * micros, units, needs
    )


class BatchWorld:
    """A batch with its log; `pick` chooses which of the runs under way ends next."""

    def __init__(
        self,
        tracks: Sequence[TrackSpec],
        cap: float,
        fates: Mapping[str, Fate] | None = None,
        pick: Callable[[Sequence[str]], str] = lambda runs: runs[0],
    ) -> None:
        self.log: list[Recorded] = []
        self.state = BatchState()
        self.fates, self.pick = dict(fates or {}), pick
        self.started: list[str] = []
        self.funded: set[str] = set()
        self.add(
            BatchRequested("b", "base", tuple(tracks), int(cap * DOLLAR), DOLLAR // 2),
        )

    def add(self, *events: EventData) -> None:
        fresh = [Recorded(len(self.log) + n, WHEN, e) for n, e in enumerate(events, 1)]
        self.log += fresh
        self.state = fold(fresh, self.state)
        assert self.state.available >= 0

    def run(self) -> BatchState:
        """To its end, or until only a person can let it go on."""
        for _ in range(1000):
            step = decide(self.state)
            if isinstance(step, Over):
                return self.state
            self.perform(step)
        raise AssertionError("the batch does not end")

    def perform(self, step: Start | Await | Close | Over) -> None:
        if isinstance(step, Start):
            for event in step.events:
                self._check_start(event)
            self.add(*step.events)
        elif isinstance(step, Await):
            run = self.pick(sorted(step.runs))
            self.add(self._ending(self.state.live[run]))
        elif isinstance(step, Close):
            self.add(BatchEnded(step.outcome))

    def cancel(self) -> None:
        self.add(CancelRequested())

    def resume(self, cap: float | None = None) -> BatchState:
        raised = int(cap * DOLLAR) if cap else None
        self.add(BatchResumed(self.state.generation + 1, raised))
        return self.run()

    def _check_start(self, event: object) -> None:
        if isinstance(event, TracksFunded):
            self.funded.update(event.tracks)
        elif isinstance(event, TrackStarted):
            needs = self.state.tracks[event.track].spec.needs
            assert all(self.state.tracks[need].passed for need in needs)
            assert event.track in self.funded
            self.started.append(event.track)
        elif isinstance(event, FoldStarted):
            assert all(self.state.tracks[name].tip for name in event.tracks)

    def _ending(self, part: TrackState | FoldState) -> TrackEnded | FoldEnded:
        if isinstance(part, TrackState):
            return self._track_ended(part)
        started = part.started
        return FoldEnded(
            part.run,
            Outcome.COMPLETED.value,
            0,
            part.generation,
            verified=True,
            taken=started.tracks,
            branch="all",
            tip="+".join(started.tracks),
            tree="tree",
        )

    def _track_ended(self, part: TrackState) -> TrackEnded:
        fate = self.fates.get(part.spec.id, Fate())
        outcome = fate.outcomes[min(part.generation, len(fate.outcomes)) - 1]
        spent = max(part.spent, int(min(part.granted, part.spec.need) * fate.share))
        return TrackEnded(
            part.spec.id,
            outcome.value,
            spent,
            part.generation,
            whole=outcome is Outcome.COMPLETED,
            unpaid=fate.unpaid if outcome is Outcome.INCOMPLETE else 0,
            tip=f"{part.spec.id}.{part.generation}",
            tree="tree",
            merged_tree="tree",
        )
