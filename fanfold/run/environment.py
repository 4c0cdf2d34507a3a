"""What `[prepare]` makes of a tree in the cloud: layers, how making one failed, who needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import PrepareFailed
from fanfold.run.decoders import learn
from fanfold.run.steps import Dispatch, Verify

if TYPE_CHECKING:
    from fanfold.run.state import RunState
    from fanfold.run.steps import Step


class Layer(msgspec.Struct, frozen=True):
    """A layer that is there: the digest of what it was made from, that of its archive, and size."""

    digest: str
    sha256: str
    size: int


class Failure(msgspec.Struct, frozen=True):
    """A command of `[prepare]` that did not end well, in one generation of one run."""

    run_id: str
    generation: int
    command: str
    code: int
    output: str
    denied: tuple[str, ...] = ()

    def error(self) -> PrepareFailed:
        return PrepareFailed(self.command, self.code, self.output, self.denied)


class Prepared(msgspec.Struct, frozen=True):
    """What there is for a tree of a run: the layer of that digest, or the reason for none."""

    digest: str
    failure: Failure | None = None


def needed_trees(step: Step, state: RunState, *, unit_checks: bool) -> tuple[str, ...]:
    """The trees that commands will run on in this step, those of a bisection among them."""
    if isinstance(step, Verify):
        trees = {a.attempt: a.tree for a in state.applied}
        prefixes = (trees[suspect] for suspect in step.suspects)
        return tuple(dict.fromkeys((step.tree, *prefixes)))
    if isinstance(step, Dispatch):
        shells = state.options.shells
        working = (a for a in step.attempts if unit_checks or a.role in shells)
        return tuple(dict.fromkeys(a.base_tree for a in working))
    return ()


learn(Layer, Failure, Prepared)
