"""What `decide` can ask for next.

The names are those of the step files and of the states of the state machine.
"""

from __future__ import annotations

import msgspec

from fanfold.run.events import AttemptDispatched
from fanfold.run.state import Outcome


class Admit(msgspec.Struct, frozen=True, tag="admit"):
    """Parse, validate, price and gate the request."""


class Dispatch(msgspec.Struct, frozen=True, tag="dispatch"):
    """Run these attempts in parallel.

    `fresh` ones still have to be recorded; others are in flight already.
    """

    attempts: tuple[AttemptDispatched, ...]
    fresh: bool


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """Fold the patches of these attempts onto `base_tree`, in this order."""

    seq: int
    base_tree: str
    attempts: tuple[str, ...]


class Verify(msgspec.Struct, frozen=True, tag="verify"):
    """Run the checks on `tree`.

    When red, find the first guilty among `suspects` (on top of `good_tree`).
    """

    seq: int
    tree: str
    good_tree: str
    suspects: tuple[str, ...] = ()
    baseline: bool = False


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Put these gates before a person; `waiting` when nothing else can go on."""

    gates: tuple[str, ...]
    waiting: bool


class Exhaust(msgspec.Struct, frozen=True, tag="exhaust"):
    """Record that these ready units cannot be paid for."""

    units: tuple[str, ...]


class WriteBack(msgspec.Struct, frozen=True, tag="write_back"):
    """Make the commits of what is kept, and the plan's marks."""

    tree: str


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Record how the run ended and write its result."""

    outcome: Outcome


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Nothing is left to do."""

    outcome: Outcome


Step = Admit | Dispatch | Merge | Verify | Ask | Exhaust | WriteBack | Finish | Ended
