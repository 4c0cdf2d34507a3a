"""Checks that several runs share: green ones run once a tree, red ones for each that asks."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fanfold.batch_engine import SharedChecks
from fanfold.ports import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import StopSignal

COMMANDS = [("make test", 60.0)]


class CountingChecks:
    """Green or red by the name of the tree."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: StopSignal | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,
    ) -> list[CommandResult]:
        self.asked.append(tree)
        self.entered.set()
        self.go_on.wait(5)
        return [CommandResult(int(tree == "red"), "", 0.1) for _ in commands]


def test_green_is_not_run_again_and_red_is() -> None:
    checks = CountingChecks()
    shared = SharedChecks(checks)
    for tree in ("green", "red", "green", "red"):
        shared.run(tree, COMMANDS)
    shared.run("green", [("make lint", 60.0)])
    assert checks.asked == ["green", "red", "red", "green"]


def test_who_comes_meanwhile_waits_for_the_result() -> None:
    checks = CountingChecks()
    checks.go_on.clear()
    shared = SharedChecks(checks)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(shared.run, "green", COMMANDS) for _ in range(3)]
        assert checks.entered.wait(5)
        checks.go_on.set()
        assert len({id(future.result()) for future in waiting}) == 1
    assert checks.asked == ["green"]
