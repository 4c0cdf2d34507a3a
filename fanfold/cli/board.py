"""What a live display shows: a row a unit, and the run's money. Fed with envelopes, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fanfold.run import events as e
from fanfold.run.evolve import evolve
from fanfold.run.state import RunState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanfold.run.events import Envelope, Recorded

WORDS = {
    UnitStatus.OPEN: "waiting",
    UnitStatus.PATCHED: "patched",
    UnitStatus.WAITING: "needs you",
}


@dataclass
class Row:
    """One unit: `tokens` that went through the model, `spent` in micro-dollars so far."""

    unit: str
    title: str
    state: str = "waiting"
    step: str = ""
    tokens: int = 0
    spent: int = 0


@dataclass
class Board:
    """A run and its attempts as rows; `news` are lines that nobody was shown yet."""

    run_id: str
    state: RunState = field(default_factory=RunState)
    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    open_calls: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    news: list[str] = field(default_factory=list[str])

    def feed(self, stream: str, envelopes: Iterable[Envelope]) -> None:
        """Take in appended events of the run stream or of one of its attempts."""
        prefix = e.attempt_stream(self.run_id, "")
        for envelope in envelopes:
            event = e.recorded(envelope)
            if event is None:
                continue
            if stream == e.run_stream(self.run_id):
                self._run_event(event)
            elif stream.startswith(prefix):
                self._attempt_event(stream.removeprefix(prefix), event)

    def money(self) -> tuple[int, int, int]:
        """Spent (settled and running), reserved and cap, in micro-dollars."""
        running = sum(
            self.rows[u.spec.id].spent - sum(t.cost for t in u.tries)
            for u in self.state.units.values()
            if u.in_flight and u.spec.id in self.rows
        )
        return self.state.spent + max(0, running), self.state.reserved, self.state.cap

    def _run_event(self, event: Recorded) -> None:
        self.state = evolve(self.state, event)
        for unit in self.state.units.values():
            row = self.rows.setdefault(unit.spec.id, Row(unit.spec.id, unit.spec.title))
            before = row.state
            row.state = WORDS.get(unit.status, unit.status.value)
            if unit.status is not UnitStatus.RUNNING:
                row.step = unit.reason or ""
                row.spent = sum(t.cost for t in unit.tries)
            if row.state != before:
                self.news.append(self._line(row))
        told = _told(event.data)
        if told:
            self.news.append(told)

    def _attempt_event(self, attempt: str, event: Recorded) -> None:
        row = self.rows.get(attempt.rpartition(".")[0])
        if row is None:
            return
        data = event.data
        if isinstance(data, e.ModelCallStarted):
            row.step = "thinking"
        elif isinstance(data, e.ModelCalled):
            row.tokens += data.usage.context + data.usage.output
            row.spent += data.cost
        elif isinstance(data, e.ToolCalled):
            row.step = " ".join([data.name, *(data.written or data.read)[:1]])
        elif isinstance(data, e.LoopNudged):
            row.step = f"nudged: {data.signal}"

    def _line(self, row: Row) -> str:
        reason = f" ({row.step})" if row.step and row.state != "running" else ""
        return f"{row.unit} {row.state}{reason}: {row.title}"


def _told(data: e.EventData) -> str | None:
    """Events that concern the whole run, in a line."""
    if isinstance(data, e.VerificationPassed):
        return "checks on the base ran" if data.baseline else "checks are green"
    if isinstance(data, e.VerificationFailed):
        red = ", ".join(r.command for r in data.checks if not r.ok)
        return f"checks are red{' on the base already' if data.baseline else ''}: {red}"
    if isinstance(data, e.PatchBlamed):
        return f"{data.attempt} broke the checks, found in {data.runs} runs; it goes back once"
    if isinstance(data, e.ConflictFound):
        return f"{data.attempt} conflicts in {', '.join(data.paths)}"
    if isinstance(data, e.PatchRejected):
        return f"{data.attempt} is rejected: {data.reason} {data.path or ''}".rstrip()
    if isinstance(data, e.BudgetWarned):
        return "80 % of the cap is spent"
    if isinstance(data, e.PlanWrittenBack):
        return f"written to branch {data.branch}"
    return None
