"""What a run was asked for, as its first events tell it. Money in micro-dollars."""

from __future__ import annotations

import msgspec


class TaskSpec(msgspec.Struct, frozen=True, gc=False):
    """A task as admitted.

    `line` is the line of its mark, `done` is true where the plan had ticked it.
    """

    id: str
    title: str
    phase: str
    kind: str
    state: str
    line: int
    text: str = ""


class UnitSpec(msgspec.Struct, frozen=True, gc=False):
    """What one attempt works on. `kind` is work, check, bookkeeping or gate; `order` is plan order.

    `covers` are the units a gate judges: a reject reopens them.
    """

    id: str
    tasks: tuple[str, ...]
    needs: tuple[str, ...] = ()
    kind: str = "work"
    order: int = 0
    title: str = ""
    writes: tuple[str, ...] | None = None
    role: str = "implementer"
    covers: tuple[str, ...] = ()
    minutes: float = 5.0


class CheckSpec(msgspec.Struct, frozen=True):
    """A command that must exit 0 on the merged tree."""

    command: str
    required: bool = True
    timeout_s: float = 600.0


class RunLimits(msgspec.Struct, frozen=True):
    """Bounds of a run; money in micro-dollars.

    `attempts` counts tries of a unit that failed by themselves.
    """

    cap: int
    slice: int = 1_000_000
    concurrency: int = 8
    wave: int = 100
    attempts: int = 2
    steps: int = 100
    minutes: float = 60.0
    command_s: float = 60.0
    backoff_s: float = 2.0


class RunOptions(msgspec.Struct, frozen=True):
    """How the user asked for the run; `batch` is the one that it belongs to, if any.

    With `review` a reviewer looks at each patch before it is merged, and may send it back once.
    `shells` are the roles that have one, and `containers` whether there are any to run in: both are
    found at admission.
    """

    engine: str = "local"
    gates: str = "ask"
    candidates: int = 1
    model: str = ""
    unit: str = "auto"
    parallel: str = "declared"
    sandbox: bool = True
    only: tuple[str, ...] = ()
    batch: str = ""
    shells: tuple[str, ...] = ("arbiter", "implementer", "tester")
    containers: bool = True
    review: bool = False
