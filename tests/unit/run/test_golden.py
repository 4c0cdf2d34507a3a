"""Logs written by earlier versions fold to the states they folded to then; they stay for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fanfold.run import events as e
from fanfold.run.decide import decide
from fanfold.run.evolve import fold
from fanfold.run.state import Outcome, RunState
from fanfold.run.steps import Ended

GOLDEN = Path(__file__).parent / "golden"


def folded(name: str) -> RunState:
    lines = (GOLDEN / f"{name}.jsonl").read_bytes().splitlines()
    events = [e.recorded(msgspec.json.decode(line, type=e.Envelope)) for line in lines]
    assert None not in events
    return fold(event for event in events if event is not None)


def summary(state: RunState) -> dict[str, str]:
    return {n: f"{u.status} {u.carrier or ''}".strip() for n, u in state.units.items()}


@pytest.mark.parametrize("log", sorted(GOLDEN.glob("*.jsonl")), ids=lambda p: p.stem)
def test_a_golden_log_has_ended(log: Path) -> None:
    state = folded(log.stem)
    assert state.outcome is Outcome.COMPLETED
    assert decide(state) == Ended(Outcome.COMPLETED)
    assert state.version == len(log.read_bytes().splitlines())
    assert state.verified
    assert state.reserved == 0


def test_conflict_red_check_and_retries() -> None:
    state = folded("conflict_and_repair")
    assert summary(state) == {
        "a": "merged a.1",
        "b": "merged b.2",
        "c": "merged c.2",
        "k": "done",
        "d": "merged d.2",
    }
    assert [t.purpose for t in state.units["c"].tries] == ["work", "resolve"]
    assert [t.purpose for t in state.units["b"].tries] == ["work", "repair"]
    assert [t.outcome for t in state.units["d"].tries] == ["stuck", "submitted"]
    assert state.spent == 70_000
    assert state.written is not None
    assert state.written.done == ("a", "b", "c", "d", "k")


def test_candidates_and_a_gate_that_was_rejected_once() -> None:
    state = folded("rejected_gate")
    assert state.gates["g"].state == "approved"
    assert [t.purpose for t in state.units["a"].tries] == [
        *["candidate", "candidate", "pick"],
        *["candidate", "candidate", "pick"],
    ]
    assert state.units["a"].tries[3].dispatched.hint == "no"
    assert summary(state) == {"a": "merged a.4", "b": "merged b.1", "g": "done"}


def test_a_spent_cap_a_raise_a_cancel_and_a_resume() -> None:
    state = folded("budget_cancel_resume")
    assert (state.cap, state.spent, state.generation) == (3_000_000, 910_000, 3)
    assert summary(state) == {"a": "merged a.1", "b": "merged b.1", "z": "done"}
    assert not state.warned
