"""A simulated world for the decider: it plays the loop, and everything that can go wrong in it.

What an attempt, a merge or a check gives depends on `seed` alone; when things end, crash or are
said by a person depends on `schedule`. Two worlds with one seed must end alike on any schedule.
"""

from __future__ import annotations

import random
import zlib
from datetime import UTC, datetime, timedelta

import msgspec

from fanfold.run import events as e
from fanfold.run import steps
from fanfold.run.attempt import ACCEPT, JUDGING, SEND_BACK, CheckResult, Exit, Purpose
from fanfold.run.decide import decide, done_units
from fanfold.run.evolve import evolve, fold
from fanfold.run.money import WARN_AT
from fanfold.run.state import Outcome, RunState, UnitStatus
from tests.fakes.soundness import assert_may_start, assert_paid, assert_sound

START = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "base"
TROUBLES = tuple(x for x in Exit if x not in (Exit.SUBMITTED, Exit.PICKED))


class Odds(msgspec.Struct, frozen=True):
    """How likely each misfortune is; `tries` bounds how many attempts of a unit can meet one."""

    trouble: float = 0.25
    reject: float = 0.08
    conflict: float = 0.2
    guilty: float = 0.15
    guilty_pair: float = 0.1
    nobody_to_blame: float = 0.05
    base_red: float = 0.2
    deny: float = 0.3
    cancel: float = 0.01
    crash: float = 0.05
    repeat: float = 0.05
    early_word: float = 0.1
    tries: int = 4


CALM = Odds(cancel=0.0, crash=0.0, repeat=0.0, early_word=0.0)
PERFECT = Odds(**dict.fromkeys(Odds.__struct_fields__, 0))


class Livelock(AssertionError):
    """More steps than any run of this size can need."""


class World:
    """One run of `admitted`; `log` is its stream, `state` its fold, `taken` the steps so far."""

    def __init__(
        self,
        admitted: e.RunAdmitted,
        *,
        seed: object = 0,
        schedule: object = None,
        odds: Odds = PERFECT,
        people: bool = True,
    ) -> None:
        self.admitted, self.seed, self.odds, self.people = admitted, seed, odds, people
        self.random = random.Random(f"{seed}/{schedule}")
        self.log: list[e.Recorded] = []
        self.state = RunState()
        self.taken: list[steps.Step] = []
        self.asked: dict[str, int] = {}
        self._record(e.RunRequested("r", "plan.md", "0" * 64, BASE, admitted.options))

    def run(self) -> RunState:
        """Until the run has ended, or waits for a person who is not there."""
        limit = 60 + 60 * len(self.admitted.units) * max(1, self.admitted.options.candidates)
        for _ in range(limit):
            if self._warned():
                continue
            assert_sound(self.state)
            step = decide(self.state)
            self.taken.append(step)
            if isinstance(step, steps.Ended):
                return self.state
            if isinstance(step, steps.Ask) and step.waiting:
                if not self.people:
                    return self.state
                self._decide_gates(step.gates)
                continue
            try:
                self.perform(step)
            except Crash:
                self.state = fold(self.log)
        raise Livelock(f"{limit} steps: {self.taken[-6:]!r}")

    def resume(self, cap: int | None = None) -> None:
        """A new generation takes over."""
        self.say(e.RunResumed(self.state.generation + 1, cap))

    def say(self, data: e.EventData) -> None:
        """An event from outside the loop: a person's word, a resume."""
        self._record(data)

    def append(self, *events: e.EventData) -> None:
        """Append events; now and then twice, with a person's word before, or a crash after."""
        for data in events:
            if self.people:
                self._early_word()
            if isinstance(data, e.AttemptDispatched):
                assert_may_start(self.state, data)
            self._record(data)
            if self.odds.repeat and self.random.random() < self.odds.repeat:
                self._record(data)
                self.state = evolve(self.state, self.log[-1])
            if self.odds.crash and self.random.random() < self.odds.crash:
                raise Crash

    def _record(self, data: e.EventData) -> None:
        version = len(self.log) + 1
        event = e.Recorded(version, START + timedelta(seconds=version), data)
        self.log.append(event)
        self.state = evolve(self.state, event)
        assert_paid(self.state)

    def _early_word(self) -> None:
        odds = self.odds
        if odds.cancel and self.random.random() < odds.cancel:
            self._record(e.CancelRequested("a person"))
        if odds.early_word and self.random.random() < odds.early_word:
            waiting = [n for n, g in self.state.gates.items() if g.state == "waiting"]
            self._decide_gates(waiting[:1])

    def _decide_gates(self, gates: tuple[str, ...] | list[str]) -> None:
        for gate in gates:
            times = self.asked.get(gate, 0)
            self.asked[gate] = times + 1
            denied = self.denies(gate, times)
            self._record(e.ApprovalDenied(gate, "no") if denied else e.ApprovalGranted(gate))

    def _warned(self) -> bool:
        state = self.state
        if state.warned or not state.cap or state.spent < WARN_AT * state.cap:
            return False
        self._record(e.BudgetWarned(state.spent, state.cap))
        return True

    def draw(self, *what: object) -> float:
        """A number in [0, 1) that depends on the seed and on `what` alone."""
        return zlib.crc32(repr((self.seed, *what)).encode()) / 2**32

    def chance(self, odds: float, *what: object) -> bool:
        return odds > 0 and self.draw(*what) < odds

    def perform(self, step: steps.Step) -> None:
        match step:
            case steps.Dispatch():
                self._dispatch(step)
            case steps.Merge():
                self._merge(step)
            case steps.Verify():
                self._verify(step)
            case steps.Ask():
                self._ask(step)
            case _:
                self.append(self._one_event(step))

    def _one_event(self, step: steps.Step) -> e.EventData:
        match step:
            case steps.Admit():
                return self.admitted
            case steps.Exhaust():
                return e.BudgetExhausted(self.state.spent, self.state.cap, step.units)
            case steps.WriteBack():
                done = done_units(self.state)
                commits = dict.fromkeys(done, "c")
                return e.PlanWrittenBack("branch", "tip", step.tree, step.tree, commits, done)
            case steps.Finish():
                return _last_event(step.outcome, self.state)
            case _:
                raise AssertionError(f"{step!r} is more than one event")

    def _dispatch(self, step: steps.Dispatch) -> None:
        """Ends may come in any order, and all of a wave are in flight before the first."""
        if step.fresh:
            self.append(*step.attempts)
        attempts = list(step.attempts)
        self.random.shuffle(attempts)
        for dispatched in attempts:
            self.append(self.end_of(dispatched))

    def end_of(self, dispatched: e.AttemptDispatched) -> e.AttemptFinished:
        """How an attempt ends."""
        name = dispatched.attempt
        judged = dispatched.purpose in JUDGING
        outcome = self.outcome_of(dispatched)
        choice = self.choice_of(dispatched) if outcome is Exit.PICKED else None
        return e.AttemptFinished(
            name,
            dispatched.unit,
            outcome,
            cost=self.cost_of(dispatched),
            tree=f"tree of {name}",
            epoch=1,
            patch=None if judged else "0" * 64,
            choice=choice,
            detail="" if outcome in (Exit.SUBMITTED, Exit.PICKED) else outcome.value,
        )

    def outcome_of(self, dispatched: e.AttemptDispatched) -> Exit:
        name = dispatched.attempt
        if self._chancy(name) and self.chance(self.odds.trouble, name):
            return TROUBLES[int(self.draw(name, "which") * len(TROUBLES))]
        return Exit.PICKED if dispatched.purpose in JUDGING else Exit.SUBMITTED

    def cost_of(self, dispatched: e.AttemptDispatched) -> int:
        return int(dispatched.slice * self.draw(dispatched.attempt, "cost"))

    def choice_of(self, dispatched: e.AttemptDispatched) -> str:
        if dispatched.purpose is Purpose.REVIEW:
            return (
                SEND_BACK if self.chance(self.odds.deny, "review", dispatched.attempt) else ACCEPT
            )
        offered = self.state.units[dispatched.unit].offered
        return offered[int(self.draw(dispatched.attempt, "choice") * len(offered))].attempt

    def denies(self, gate: str, times: int) -> bool:
        return times < 2 and self.chance(self.odds.deny, "deny", gate, times)

    def rejects(self, attempt: str) -> bool:
        return self._chancy(attempt) and self.chance(self.odds.reject, "reject", attempt)

    def is_protected(self, attempt: str) -> bool:
        return self._chancy(attempt) and self.chance(self.odds.reject, "protected", attempt)

    def conflicts(self, attempt: str, other: str) -> bool:
        return self.chance(self.odds.conflict, "conflict", attempt, other)

    def paths_of(self, attempt: str) -> tuple[str, ...]:
        return (f"f{int(self.draw('path', attempt) * 2)}",)

    def blames_nobody(self, step: steps.Verify) -> bool:
        return self.chance(self.odds.nobody_to_blame, "unclear", step.tree, step.seq)

    def base_is_red(self) -> bool:
        return self.chance(self.odds.base_red, "base")

    def _merge(self, step: steps.Merge) -> None:
        state, tree = self.state, step.base_tree
        applied: list[e.Applied] = []
        fates: list[e.EventData] = []
        for name in step.attempts:
            unit = next(u for u in state.units.values() if u.carrier == name)
            tried = unit.try_of(name)
            known = tried.dispatched.base_tree.split("+")
            others = [p for p in tree.split("+")[1:] if p not in known]
            if self.is_protected(name) and unit.cleared != name:
                fates.append(e.PatchHeld(name, unit.spec.id, "protected_path", ".gitattributes"))
            elif self.rejects(name):
                fates.append(e.PatchRejected(name, unit.spec.id, "path_escape"))
            elif any(self.conflicts(name, other) for other in others):
                fates.append(e.ConflictFound(name, unit.spec.id, self.paths_of(name), tree))
            else:
                tree = f"{tree}+{name}"
                applied.append(e.Applied(name, unit.spec.id, tree))
        self.append(*fates, e.MergeCompleted(step.seq, step.base_tree, tree, tuple(applied)))

    def _verify(self, step: steps.Verify) -> None:
        base_ok = not self.base_is_red()
        if step.baseline:
            kind = e.VerificationPassed if base_ok else e.VerificationFailed
            checks = (CheckResult("test", base_ok, baseline_ok=base_ok),)
            self.append(kind(step.seq, step.tree, checks, baseline=True))
            return
        green = base_ok and not self.is_red(step.tree)
        checks = (CheckResult("test", green, baseline_ok=base_ok),)
        if green or not base_ok:
            self.append(e.VerificationPassed(step.seq, step.tree, checks))
            return
        failed = e.VerificationFailed(step.seq, step.tree, checks)
        blamed = self._blame(step, checks)
        self.append(failed, *([blamed] if blamed else []))

    def _blame(self, step: steps.Verify, checks: tuple[CheckResult, ...]) -> e.PatchBlamed | None:
        if self.blames_nobody(step) or self.is_red(step.good_tree):
            return None
        good = step.good_tree
        for entry in self.state.applied:
            if entry.attempt not in step.suspects:
                continue
            if self.is_red(entry.tree):
                return e.PatchBlamed(step.seq, entry.attempt, entry.unit, good, checks)
            good = entry.tree
        return None

    def is_red(self, tree: str) -> bool:
        """Whether a patch of `tree`, or two of them together, break the checks."""
        patches = tree.split("+")[1:]
        return any(
            self._chancy(p) and self.chance(self.odds.guilty, "guilty", p) for p in patches
        ) or any(
            self._chancy(p) and self.chance(self.odds.guilty_pair, "pair", p, q)
            for i, p in enumerate(patches)
            for q in patches[:i]
        )

    def _chancy(self, attempt: str) -> bool:
        return int(attempt.rpartition(".")[2]) <= self.odds.tries

    def _ask(self, step: steps.Ask) -> None:
        for gate in step.gates:
            if self.state.units[gate].status is UnitStatus.OPEN:
                self.append(e.ApprovalRequested(gate, self.state.kept_tree, BASE))


def _last_event(outcome: Outcome, state: RunState) -> e.EventData:
    match outcome:
        case Outcome.COMPLETED:
            return e.RunCompleted(state.verified)
        case Outcome.CANCELLED:
            return e.RunCancelled(state.verified)
        case Outcome.FAILED:
            return e.RunFailed(state.failure or "failed", state.verified)
        case _:
            return e.RunIncomplete(state.verified)


class Crash(Exception):
    """kill -9: what was appended stays, everything else is gone."""


def small_graph(seed: object) -> e.RunAdmitted:
    """A random graph of up to seven units of all kinds, with random options and limits."""
    rng = random.Random(f"graph/{seed}")
    units: list[e.UnitSpec] = []
    for order in range(rng.randint(1, 7)):
        before = [u.id for u in units]
        needs = tuple(sorted(n for n in before if rng.random() < 0.3))
        kind = rng.choice(("work", "work", "work", "work", "check", "bookkeeping", "gate"))
        covers = needs if kind == "gate" else ()
        units.append(e.UnitSpec(chr(97 + order), ("t",), needs, kind, order, covers=covers))
    slice_ = 1000
    cap = rng.choice((500, 2500, 5700, 100_000))
    return e.RunAdmitted(
        BASE,
        tuple(units),
        (),
        e.RunLimits(cap, slice_, wave=rng.choice((1, 2, 100)), attempts=rng.choice((1, 2, 3))),
        (e.CheckSpec("test"),) if rng.random() < 0.7 else (),
        e.RunOptions(
            gates=rng.choice(("ask", "defer")),
            candidates=rng.choice((1, 1, 1, 2, 3)),
            review=rng.random() < 0.3,
        ),
    )
