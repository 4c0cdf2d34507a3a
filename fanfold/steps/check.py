"""Check: run commands on a tree in a place that can do nothing else, for who sends the order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from fanfold.ports import CommandResult
from fanfold.run.decoders import learn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.ports import Clock, Workspaces

SHORTEST_S = 1.0
KEPT = 200_000
"""Characters of a command's output that go into the log, from its end."""


class Order(msgspec.Struct, frozen=True):
    """A tree in packs, each with its index, and what to run on it; places are signed URLs.

    The results, as JSON, are put at `log`: nothing of what a command said is in the answer. `layer`
    is what was prepared for the tree, with its SHA-256.
    """

    tree: str
    packs: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, float], ...]
    log: str
    layer: tuple[str, str] | None = None


class Done(msgspec.Struct, frozen=True):
    """How many of the commands were run, from the first on; the others had no time left."""

    finished: int


class Web(Protocol):
    """What can be had and put by a URL that says by itself who may. Raises `CloudUnavailable`."""

    def fetch(self, url: str, place: Path) -> None: ...
    def put(self, url: str, data: bytes) -> None: ...


def check(
    order: Order, web: Web, bench: Callable[[Order], Workspaces], clock: Clock, left_s: float
) -> Done:
    """Run what of the order there is time for, on one fresh checkout, and put its log.

    `bench` gives workspaces on the order's packs. The first command may use all of `left_s`
    seconds; a later one that may need more than what is left of them stays for the next call.
    """
    until = clock.monotonic() + left_s
    results: list[CommandResult] = []
    workspaces = bench(order)
    try:
        workspace = workspaces.open(order.tree, shell=True, name="check")  # noqa: S604
        for command, timeout_s in order.commands:
            left = until - clock.monotonic()
            if results and timeout_s > left:
                break
            result = workspace.run(command, max(min(timeout_s, left), SHORTEST_S))
            results.append(msgspec.structs.replace(result, output=result.output[-KEPT:]))
    finally:
        workspaces.close()
    web.put(order.log, msgspec.json.encode(results))
    return Done(len(results))


learn(Order, Done, list[CommandResult])
