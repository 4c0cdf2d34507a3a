"""What a batch can go through, said once for every engine: tracks, agents, people, and the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fanfold.adapters.local.script import Script, Turn, submit, write_and_submit, write_files
from fanfold.run.attempt import Purpose
from fanfold.run.events import ApprovalDenied, ApprovalGranted
from fanfold.run.state import Outcome
from tests.workflow.aws.scenarios import CHAIN, DOLLAR, GATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.adapters.local.script import Conversation
    from tests.workflow.aws.scenarios import Agents, Stage

    Word = ApprovalGranted | ApprovalDenied


@dataclass(frozen=True)
class BatchScenario:
    """`tracks` are plans by their names; each likely `takes` so many micro-dollars, half of one.

    Each time that the batch waits, the next of `words` is said to the run of a track; when it has
    ended for want of money, its cap is raised to `raised`. `states` are those of the tracks in the
    end, where they have one; `side_by_side`, the order in which they end is chance.
    """

    tracks: Mapping[str, str]
    agents: Agents
    outcome: Outcome
    states: Mapping[str, str]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    checks: tuple[str, ...] = ()
    cap: int = 20 * DOLLAR
    takes: Mapping[str, int] = field(default_factory=dict[str, int])
    raised: int = 0
    gates: str = "ask"
    words: tuple[tuple[str, Word], ...] = ()
    slots: int = 4
    side_by_side: bool = True


def _plan(*titles: str, gate: bool = False) -> str:
    return CHAIN + "".join(f"- [ ] Task: {title}\n" for title in titles) + GATE * gate


def _writing(**files: str) -> Agents:
    """Agents that each write the file that is named for their task."""
    parts = {task: write_and_submit({name: f"{task}\n"}) for task, name in files.items()}
    return lambda _: Script.of({**parts})


def _conflict(_: Stage) -> Script:
    return Script.of(
        {
            ("alpha", Purpose.WORK, None): write_and_submit({"shared.txt": "alpha\n"}),
            ("beta", Purpose.WORK, None): write_and_submit({"shared.txt": "beta\n"}),
            ("*", Purpose.RESOLVE, None): write_and_submit({"shared.txt": "alpha\nbeta\n"}),
        }
    )


def _blocked(_: Stage) -> Script:
    return Script.of(
        {
            "alpha": write_and_submit({"alpha.txt": "alpha\n"}),
            "beta": (submit("It needs a decision.", status="blocked"),),
            "gamma": write_and_submit({"gamma.txt": "gamma\n"}),
        }
    )


def _cancelling(stage: Stage) -> Script:
    def cancel(_: Conversation) -> Turn:
        stage.stop()
        return Turn(calls=write_files({"beta.txt": "half\n"}).calls, delay_s=1.0)

    alpha = write_and_submit({"alpha.txt": "alpha\n"})
    return Script.of({"alpha": alpha, "beta": (cancel, submit("Too late."))})


LETTERS = _writing(alpha="alpha.txt", beta="beta.txt", gamma="gamma.txt", delta="delta.txt")
THREE = {"first": _plan("alpha"), "second": _plan("beta"), "third": _plan("gamma", "delta")}
TWO = {"first": _plan("alpha"), "second": _plan("beta")}
ALL_IN = {"first": "merged", "second": "merged", "third": "merged"}
BATCHES: dict[str, BatchScenario] = {
    "side by side": BatchScenario(
        THREE, LETTERS, Outcome.COMPLETED, ALL_IN, checks=("test ! -e bad",)
    ),
    "one on another, and one on both": BatchScenario(
        {**THREE, "fourth": _plan("epsilon")},
        _writing(alpha="a.txt", beta="b.txt", gamma="c.txt", delta="d.txt", epsilon="e.txt"),
        Outcome.COMPLETED,
        {**ALL_IN, "fourth": "merged"},
        needs={"second": ("first",), "third": ("first",), "fourth": ("second", "third")},
    ),
    "a conflict": BatchScenario(
        TWO, _conflict, Outcome.COMPLETED, {"first": "merged", "second": "merged"}
    ),
    "red together": BatchScenario(
        TWO,
        LETTERS,
        Outcome.INCOMPLETE,
        {"first": "merged", "second": "rejected"},
        checks=("test ! -e alpha.txt || test ! -e beta.txt",),
    ),
    "a track that fails": BatchScenario(
        THREE | {"third": _plan("gamma")},
        _blocked,
        Outcome.INCOMPLETE,
        {"first": "merged", "second": "incomplete", "third": "skipped"},
        needs={"third": ("second",)},
    ),
    "a gate": BatchScenario(
        {"first": _plan("alpha", gate=True), "second": _plan("beta")},
        LETTERS,
        Outcome.COMPLETED,
        {"first": "merged", "second": "merged"},
        words=(("first", ApprovalDenied("1.2", "not yet")), ("first", ApprovalGranted("1.2"))),
    ),
    "a deferred gate": BatchScenario(
        {"first": _plan("alpha", gate=True), "second": _plan("beta")},
        LETTERS,
        Outcome.COMPLETED,
        {"first": "merged", "second": "merged"},
        needs={"second": ("first",)},
        gates="defer",
        words=(("first", ApprovalGranted("1.2")),),
        side_by_side=False,
    ),
    "a cap that funds some": BatchScenario(
        THREE | {"third": _plan("gamma")},
        LETTERS,
        Outcome.COMPLETED,
        ALL_IN,
        cap=2 * DOLLAR,
        takes={"third": 3 * DOLLAR},
        raised=9 * DOLLAR,
    ),
    "cancelled": BatchScenario(
        TWO,
        _cancelling,
        Outcome.CANCELLED,
        {"first": "done", "second": "cancelled"},
        needs={"second": ("first",)},
        side_by_side=False,
    ),
    "nothing comes of it": BatchScenario(
        {"first": _plan("beta"), "second": _plan("beta")},
        _blocked,
        Outcome.INCOMPLETE,
        {"first": "incomplete", "second": "incomplete"},
    ),
}
