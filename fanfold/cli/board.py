"""What a live display shows: a row a unit, and the run's money. Fed with envelopes, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from fanfold.cli.money import about
from fanfold.run import events as e
from fanfold.run.attempt import Purpose
from fanfold.run.evolve import evolve
from fanfold.run.money import dollars
from fanfold.run.state import RunState, UnitStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from fanfold.run.events import Envelope, Recorded
    from fanfold.run.state import UnitState

WORDS = {
    UnitStatus.OPEN: "waiting",
    UnitStatus.WAITING: "needs you",
}


class News(NamedTuple):
    """A line to tell; `of_run` when it concerns the whole run, and no row shows it."""

    text: str
    of_run: bool


GREEN = "checks are green"


@dataclass
class Row:
    """One unit: `tokens` through the model and `spent` micro-dollars so far; runs `since` then."""

    unit: str
    title: str
    role: str = ""
    state: str = "waiting"
    step: str = ""
    tokens: int = 0
    spent: int = 0
    since: datetime | None = None
    took_s: float = 0.0

    def elapsed_s(self, now: datetime) -> float:
        """How long its attempts have worked, this one included."""
        return self.took_s + (max(0.0, (now - self.since).total_seconds()) if self.since else 0.0)


@dataclass
class Board:
    """A run and its attempts as rows; `news` are lines that nobody was shown yet.

    `label` tells it from the other runs of a batch.
    """

    run_id: str
    state: RunState = field(default_factory=RunState)
    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    news: list[News] = field(default_factory=list[News])
    label: str = ""

    @property
    def name(self) -> str:
        return f"run {self.run_id}"

    @property
    def started_at(self) -> datetime | None:
        return self.state.requested_at

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

    def stopping(self) -> None:
        """Tell that everything was told to stop; safe in a signal handler."""
        self.news.append(
            News("       stopping when what runs has ended; again to stop at once", True)
        )

    def money(self) -> tuple[int, int, int]:
        """Spent (settled and running), reserved and cap, in micro-dollars."""
        running = sum(
            self.rows[u.spec.id].spent - sum(t.cost for t in u.tries)
            for u in self.state.units.values()
            if u.in_flight and u.spec.id in self.rows
        )
        return self.state.spent + max(0, running), self.state.reserved, self.state.cap

    def money_line(self) -> str:
        """The run's money in a line."""
        spent, reserved, cap = self.money()
        held = f", {about(reserved)} reserved" if reserved else ""
        return f"{about(spent)} of ${dollars(cap)} spent{held}"

    def _run_event(self, event: Recorded) -> None:
        self.state = evolve(self.state, event)
        told = _told(event.data)
        if told:
            self._tell(event, told, of_run=True)
        for unit in self.state.units.values():
            row = self.rows.setdefault(
                unit.spec.id, Row(self.label + unit.spec.id, unit.spec.title)
            )
            before = row.state
            _update(row, unit, event.timestamp)
            if row.state != before:
                self._tell(event, _line(row, unit), of_run=False)

    def _attempt_event(self, attempt: str, event: Recorded) -> None:
        row = self.rows.get(attempt.rpartition(".")[0])
        if row is None:
            return
        data = event.data
        if isinstance(data, e.ModelCallStarted):
            row.step = "thinking"
        elif isinstance(data, e.ModelCalled):
            row.step = "working"
            row.tokens += data.usage.context + data.usage.output
            row.spent += data.cost
        elif isinstance(data, e.ToolCalled):
            row.step = " ".join([data.name, *(data.written or data.read)[:1]])
        elif isinstance(data, e.LoopNudged):
            row.step = f"nudged: {data.signal}"

    def _tell(self, event: Recorded, text: str, *, of_run: bool) -> None:
        start = self.state.requested_at or event.timestamp
        passed = clock((event.timestamp - start).total_seconds())
        label = self.label if of_run else ""
        self.news.append(News(f"{passed:>5}  {label}{text}", of_run))


def clock(seconds: float) -> str:
    """Minutes and seconds, `0:07`; with hours where there are any."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _update(row: Row, unit: UnitState, now: datetime) -> None:
    running = unit.status is UnitStatus.RUNNING
    row.state = WORDS.get(unit.status, unit.status.value)
    if running and row.since is None:
        row.since = now
        row.role = unit.tries[-1].dispatched.role
        row.step = ""
    elif not running:
        row.took_s, row.since = row.elapsed_s(now), None
        row.step = unit.reason or ""
        row.spent = sum(t.cost for t in unit.tries)


def _line(row: Row, unit: UnitState) -> str:
    detail = ""
    if row.state == "running":
        purpose = unit.tries[-1].purpose
        detail = f" as {row.role}" + ("" if purpose is Purpose.WORK else f", to {purpose.value}")
    elif row.state == "waiting":
        return f"{row.unit} goes back in line: {row.title}"
    elif row.state == "patched":
        detail = f" after {clock(row.took_s)}, {row.tokens:,} tokens, {about(row.spent)}"
    elif row.step:
        detail = f" ({row.step})"
    return f"{row.unit} {row.state}{detail}: {row.title}"


def _told(data: e.EventData) -> str | None:
    """Events that concern the whole run, in a line."""
    if isinstance(data, e.VerificationPassed):
        return _passed(data)
    if isinstance(data, e.VerificationFailed):
        red = ", ".join(r.command for r in data.checks if not r.ok)
        return f"checks are red{' on the base already' if data.baseline else ''}: {red}"
    if isinstance(data, e.PatchBlamed):
        return f"{data.attempt} broke the checks, found in {data.runs} runs; it is taken out"
    if isinstance(data, e.ConflictFound):
        return f"{data.attempt} conflicts in {', '.join(data.paths)}"
    if isinstance(data, e.PatchRejected):
        return f"{data.attempt} is rejected: {data.reason} {data.path or ''}".rstrip()
    return _told_of_end(data)


def _passed(data: e.VerificationPassed) -> str:
    if data.baseline:
        return "checks are green on the base"
    red = ", ".join(r.command for r in data.checks if r.required and not r.ok)
    return f"checks are no worse than on the base, red there already: {red}" if red else GREEN


def _told_of_end(data: e.EventData) -> str | None:
    if isinstance(data, e.PatchHeld):
        return f"{data.attempt} is held for you: {data.reason} {data.path or ''}".rstrip()
    if isinstance(data, e.BudgetWarned):
        return f"80 % of the cap is spent: {about(data.spent)} of ${dollars(data.cap)}"
    if isinstance(data, e.BudgetExhausted):
        return f"the cap pays for no more: {', '.join(data.units)} not started"
    if isinstance(data, e.CancelRequested):
        return f"told to stop by {data.by}"
    if isinstance(data, e.RunQueued):
        return f"queued: {data.reason}"
    if isinstance(data, e.PlanWrittenBack):
        return f"written to branch {data.branch}"
    return None
