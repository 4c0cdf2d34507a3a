"""What a run can go through, said once for every engine: plan, agents, people, and the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fanfold.adapters.local.script import (
    Script,
    Turn,
    say,
    submit,
    use,
    write_and_submit,
    write_files,
)
from fanfold.errors import LeaseLost
from fanfold.run.attempt import ACCEPT, SEND_BACK, Purpose
from fanfold.run.events import ApprovalDenied, ApprovalGranted, CancelRequested, EventData
from fanfold.run.state import Outcome

if TYPE_CHECKING:
    from fanfold.adapters.local.script import Conversation, Key, Step

DOLLAR = 1_000_000
PARALLEL = "# Track\n\n## Phase 1: A\n<!-- execution: parallel -->\n"
CHAIN = "# Track\n\n## Phase 1: A\n"
GATE = "- [ ] Task: Conductor - User Manual Verification 'A' (Protocol in workflow.md)\n"


class Stage(Protocol):
    """What an agent of a scenario may do to the run it is part of."""

    @property
    def stop(self) -> Callable[[], None]: ...  # what drives the run, from outside

    def say(self, *events: EventData) -> None: ...


Agents = Callable[[Stage], Script]


@dataclass(frozen=True)
class Scenario:
    """`words` are said one a time the run waits; `broken` names an artifact that cannot be written
    until the run was resumed; `twice` has every attempt invoked twice at once. Of the attempts,
    those that `outgrow` their place go on in another, Spot takes some away, `dead` ones never
    begin. `history` is how long an execution gets before it hands over, 0 for the usual. As many
    runs execute at once as there are `slots`.
    """

    plan: str
    agents: Agents
    outcome: Outcome
    units: dict[str, str]
    files: dict[str, str] = field(default_factory=dict[str, str])
    checks: tuple[str, ...] = ()
    unit_checks: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    cap: int = 5 * DOLLAR
    slice: int = DOLLAR
    gates: str = "ask"
    candidates: int = 1
    review: bool = False
    words: tuple[EventData, ...] = ()
    broken: str = ""
    twice: bool = False
    attempts: int = 2
    outgrow: frozenset[str] = frozenset()
    taken_away: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    history: int = 0
    slots: int = 1


def _letters(*names: str, **more: str) -> Agents:
    """Agents that each write the file of their task."""
    parts: dict[Key, tuple[Step, ...]] = {
        name: write_and_submit({f"{name}.txt": f"{name}\n"}) for name in names
    }
    parts |= {name: write_and_submit({"shared.txt": text}) for name, text in more.items()}
    return lambda _: Script.of(parts)


def _tasks(*titles: str) -> str:
    return "".join(f"- [ ] Task: {title}\n" for title in titles)


def _conflict(_: Stage) -> Script:
    return Script.of(
        {
            ("alpha", Purpose.WORK, None): write_and_submit({"shared.txt": "alpha\n"}),
            ("beta", Purpose.WORK, None): write_and_submit({"shared.txt": "beta\n"}),
            ("beta", Purpose.RESOLVE, None): write_and_submit({"shared.txt": "alpha\nbeta\n"}),
        }
    )


def _candidates(_: Stage) -> Script:
    return Script.of(
        {
            ("alpha", Purpose.CANDIDATE, 1): write_and_submit({"alpha.txt": "poor\n"}),
            ("alpha", Purpose.CANDIDATE, 2): write_and_submit({"alpha.txt": "good\n"}),
            ("alpha", Purpose.PICK, None): (submit("The second.", choice="B"),),
        }
    )


def _reviewed(_: Stage) -> Script:
    """The work on alpha is sent back once, that on beta passes."""
    return Script.of(
        {
            ("alpha", Purpose.WORK, 1): write_and_submit({"alpha.txt": "half\n"}),
            ("alpha", Purpose.REVIEW, None): (submit("The half is missing.", choice=SEND_BACK),),
            ("alpha", Purpose.WORK, 3): write_and_submit({"alpha.txt": "whole\n"}),
            ("beta", Purpose.WORK, None): write_and_submit({"beta.txt": "beta\n"}),
            ("beta", Purpose.REVIEW, None): (submit("It is whole.", choice=ACCEPT),),
        }
    )


def _repair(_: Stage) -> Script:
    careless = {"beta.txt": "beta\n", "bad": "bad\n"}
    mended = use("bash", command="rm bad")
    return Script.of(
        {
            "alpha": write_and_submit({"alpha.txt": "alpha\n"}),
            ("beta", Purpose.WORK, None): write_and_submit(careless),
            ("beta", Purpose.REPAIR, None): (mended, submit("Took it out.")),
            "gamma": write_and_submit({"gamma.txt": "gamma\n"}),
        }
    )


def _blocked(_: Stage) -> Script:
    return Script.of(
        {
            "alpha": write_and_submit({"alpha.txt": "alpha\n"}),
            "beta": (submit("It needs a decision.", status="blocked"),),
        }
    )


def _cancelling(stage: Stage) -> Script:
    def cancel(_: Conversation) -> Turn:
        stage.say(CancelRequested("a person"))
        return Turn(calls=write_files({"beta.txt": "half\n"}).calls, delay_s=1.0)

    return Script.of(
        {
            "alpha": write_and_submit({"alpha.txt": "alpha\n"}),
            "beta": (cancel, submit("Too late.")),
        }
    )


def _lost(_: Conversation) -> Turn:
    raise LeaseLost("the process is gone")


def _losing_dearly(_: Stage) -> Script:
    """A call without an answer counts in full, which here leaves nothing for another try."""
    return Script.of({"alpha": write_and_submit({"alpha.txt": "alpha\n"}), "beta": (_lost,)})


def _losing(_: Stage) -> Script:
    wrote = write_files({"alpha.txt": "half\n"})
    return Script.of(
        {
            ("alpha", Purpose.WORK, 1): (wrote, _lost),
            ("alpha", Purpose.WORK, 2): write_and_submit({"alpha.txt": "whole\n"}),
            "beta": write_and_submit({"beta.txt": "beta\n"}),
        }
    )


def _stopping(stage: Stage) -> Script:
    def stop(_: Conversation) -> Turn:
        stage.stop()
        return Turn(calls=write_files({"beta.txt": "half\n"}).calls, delay_s=1.0)

    return Script.of(
        {"alpha": write_and_submit({"alpha.txt": "alpha\n"}), "beta": (stop, submit("Too late."))}
    )


def _outgrowing(_: Stage) -> Script:
    slow = Turn(calls=write_files({"late.txt": "late\n"}).calls, delay_s=60.0)
    return Script.of(
        {
            ("Document alpha", None, 1): (write_files({"alpha.txt": "half\n"}), slow),
            ("Document alpha", None, 2): (submit("Went on."),),
        }
    )


def _interrupted(_: Stage) -> Script:
    wrote = write_files({"alpha.txt": "half\n"})
    return Script.of({("alpha", None, 1): (wrote, wrote, wrote), ("alpha", None, 2): (submit(),)})


def _failing_alike(_: Stage) -> Script:
    gives_up = tuple(say("I cannot.") for _ in range(4))
    last = write_and_submit({"alpha.txt": "alpha\n"})
    return Script.of({"alpha": gives_up, ("alpha", None, 4): last})


def _red_at_first(_: Stage) -> Script:
    """Both a role with a shell and one without hand in too early."""
    return Script.of(
        {
            task: (
                write_files({f"{name}.txt": "half\n"}),
                submit("Too early."),
                write_files({f"{name}.txt": f"{name} whole\n"}),
                submit("Now."),
            )
            for task, name in {"Document alpha": "alpha", "beta": "beta"}.items()
        }
    )


MAKE = "grep -qv broken uv.lock && mkdir -p made && cp uv.lock made/lock"


def _preparing(_: Stage) -> Script:
    """One changes the lockfile; who comes after finds what was made of the new one."""
    look = use("bash", command="cat made/lock uv.lock >gamma.txt")
    return Script.of(
        {
            "alpha": write_and_submit({"uv.lock": "two\n"}),
            "Document beta": write_and_submit({"beta.txt": "beta\n"}),
            "gamma": (look, submit("Looked.")),
        }
    )


def _breaking_the_lock(_: Stage) -> Script:
    return Script.of(
        {
            "alpha": write_and_submit({"alpha.txt": "alpha\n"}),
            ("beta", Purpose.WORK, None): write_and_submit({"uv.lock": "broken\n"}),
            ("beta", Purpose.REPAIR, None): write_and_submit({"uv.lock": "three\n"}),
        }
    )


MANY = tuple(f"Document {number}" for number in range(1, 301))
MERGED = {"1.1": "merged", "1.2": "merged"}
SCENARIOS: dict[str, Scenario] = {
    "parallel": Scenario(
        PARALLEL + _tasks("alpha", "beta", "gamma"),
        _letters("alpha", "beta", "gamma"),
        Outcome.COMPLETED,
        MERGED | {"1.3": "merged"},
        checks=("test -e alpha.txt || test ! -e beta.txt",),
    ),
    "dependency": Scenario(
        CHAIN + _tasks("alpha", "beta", "gamma"),
        _blocked,
        Outcome.INCOMPLETE,
        {"1.1": "merged", "1.2": "failed", "1.3": "skipped"},
    ),
    "conflict": Scenario(
        PARALLEL + _tasks("alpha", "beta"),
        _conflict,
        Outcome.COMPLETED,
        MERGED,
        files={"shared.txt": "nobody\n"},
    ),
    "candidates": Scenario(
        CHAIN + _tasks("alpha"),
        _candidates,
        Outcome.COMPLETED,
        {"1.1": "merged"},
        candidates=2,
    ),
    "review": Scenario(
        PARALLEL + _tasks("alpha", "beta"),
        _reviewed,
        Outcome.COMPLETED,
        MERGED,
        review=True,
    ),
    "repair": Scenario(
        PARALLEL + _tasks("alpha", "beta", "gamma"),
        _repair,
        Outcome.COMPLETED,
        MERGED | {"1.3": "merged"},
        checks=("test ! -e bad",),
    ),
    "gate": Scenario(
        CHAIN + _tasks("alpha") + GATE + "## Phase 2: B\n" + _tasks("beta"),
        _letters("alpha", "beta"),
        Outcome.COMPLETED,
        {"1.1": "merged", "1.2": "done", "2.1": "merged"},
        words=(ApprovalDenied("1.2", "not yet"), ApprovalGranted("1.2")),
    ),
    "deferred gate": Scenario(
        CHAIN + _tasks("alpha") + GATE + "## Phase 2: B\n" + _tasks("beta"),
        _letters("alpha", "beta"),
        Outcome.COMPLETED,
        {"1.1": "merged", "1.2": "done", "2.1": "merged"},
        gates="defer",
        words=(ApprovalGranted("1.2"),),
    ),
    "budget": Scenario(
        CHAIN + _tasks("alpha", "beta", "gamma"),
        _losing_dearly,
        Outcome.INCOMPLETE,
        {"1.1": "merged", "1.2": "failed", "1.3": "skipped"},
        cap=60_000,
        slice=60_000,
    ),
    "cancel": Scenario(
        CHAIN + _tasks("alpha", "beta"),
        _cancelling,
        Outcome.CANCELLED,
        {"1.1": "merged", "1.2": "open"},
    ),
    "lost attempt": Scenario(CHAIN + _tasks("alpha", "beta"), _losing, Outcome.COMPLETED, MERGED),
    "duplicate invocation": Scenario(
        PARALLEL + _tasks("alpha", "beta"),
        _letters("alpha", "beta"),
        Outcome.COMPLETED,
        MERGED,
        twice=True,
    ),
    "crash and resume": Scenario(
        CHAIN + _tasks("alpha", "beta"),
        _letters("alpha", "beta"),
        Outcome.COMPLETED,
        MERGED,
        broken="merges/1.json",
    ),
    "escalate": Scenario(
        CHAIN + _tasks("Document alpha"),
        _outgrowing,
        Outcome.COMPLETED,
        {"1.1": "merged"},
        outgrow=frozenset({"1.1.1"}),
    ),
    "spot loss": Scenario(
        CHAIN + _tasks("alpha"),
        _interrupted,
        Outcome.COMPLETED,
        {"1.1": "merged"},
        taken_away=frozenset({"1.1.1"}),
    ),
    "dead containers": Scenario(
        PARALLEL + _tasks("alpha", "beta"),
        _letters("alpha", "beta"),
        Outcome.INCOMPLETE,
        {"1.1": "failed", "1.2": "merged"},
        dead=frozenset({"1.1.1", "1.1.2", "1.2.1"}),
    ),
    "stopped from outside": Scenario(
        CHAIN + _tasks("alpha", "beta"),
        _stopping,
        Outcome.CANCELLED,
        {"1.1": "merged", "1.2": "open"},
    ),
    "a long history": Scenario(
        CHAIN + _tasks("alpha", "beta", "gamma"),
        _letters("alpha", "beta", "gamma"),
        Outcome.COMPLETED,
        MERGED | {"1.3": "merged"},
        history=40,
    ),
    "three failures alike": Scenario(
        CHAIN + _tasks("alpha"),
        _failing_alike,
        Outcome.COMPLETED,
        {"1.1": "merged"},
        attempts=3,
        words=(ApprovalGranted("1.1"),),
    ),
    "light roles": Scenario(
        PARALLEL + _tasks("Document alpha", "beta"),
        _letters("Document alpha", "beta"),
        Outcome.COMPLETED,
        MERGED,
    ),
    "unit checks": Scenario(
        PARALLEL + _tasks("Document alpha", "beta"),
        _red_at_first,
        Outcome.COMPLETED,
        MERGED,
        unit_checks=("! grep -r half .", "cat *.txt"),
    ),
    "prepared": Scenario(
        PARALLEL + _tasks("alpha", "Document beta") + "\n## Phase 2: B\n" + _tasks("gamma"),
        _preparing,
        Outcome.COMPLETED,
        MERGED | {"2.1": "merged"},
        files={"fanfold.toml": f"[prepare]\ncommands = ['{MAKE}']\n", "uv.lock": "one\n"},
        checks=("cmp made/lock uv.lock",),
        unit_checks=("test -e made/lock",),
        prepare=(MAKE,),
    ),
    "a lockfile that cannot be prepared": Scenario(
        PARALLEL + _tasks("alpha", "beta"),
        _breaking_the_lock,
        Outcome.COMPLETED,
        MERGED,
        files={"fanfold.toml": f"[prepare]\ncommands = ['{MAKE}']\n", "uv.lock": "one\n"},
        checks=("test -e made/lock",),
        prepare=(MAKE,),
    ),
    "a plan that cannot run": Scenario(
        CHAIN + _tasks("alpha") + "  <!-- depends: 9.9 -->\n",
        _letters("alpha"),
        Outcome.FAILED,
        {},
    ),
}
WIDE: dict[str, Scenario] = {
    "300 tasks": Scenario(
        PARALLEL + _tasks(*MANY),
        _letters(*MANY),
        Outcome.COMPLETED,
        {f"1.{number}": "merged" for number in range(1, 301)},
        cap=400 * DOLLAR,
    ),
}
