"""Verifying where a process lasts for one run of the checks: each goes on from the one before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.errors import CloudUnavailable
from fanfold.ports import CommandResult
from fanfold.run.events import CheckSpec, PatchBlamed, VerificationFailed, VerificationPassed
from fanfold.run.steps import Verify
from fanfold.steps.verify import verify
from tests.fakes.memory import MemoryArtifactStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

ATTEMPTS = tuple(f"1.{n}.1" for n in range(1, 6))
GUILTY = "1.4.1"


class OneRun:
    """Checks that are red on the trees `red` for the first so many times; a process has one run."""

    def __init__(self, red: Collection[str], times: int = 100) -> None:
        self.red, self.times = red, times
        self.left, self.trees = 1, list[str]()

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        so_far: Callable[[Sequence[CommandResult]], None],
    ) -> list[CommandResult]:
        results: list[CommandResult] = []
        for _ in commands:
            if not self.left:
                raise CloudUnavailable("the function's time is over")
            self.left -= 1
            self.trees.append(tree)
            fails = tree in self.red and self.trees.count(tree) <= self.times
            results.append(CommandResult(int(fails), "", 700.0))
            so_far(results)
        return results


class Bench:
    """A run whose attempts were folded one after the other, and what its log is told."""

    def __init__(self, checks: OneRun, *commands: str) -> None:
        self.checks, self.told = checks, list[Any]()
        applied = [
            SimpleNamespace(attempt=a, tree=f"tree {a}", unit=a.rpartition(".")[0])
            for a in ATTEMPTS
        ]
        asked = tuple(CheckSpec(c) for c in commands or ("make test",))
        state = SimpleNamespace(baseline=(), checks=asked, applied=applied)
        self.journal: Any = SimpleNamespace(run_id="r1", state=state, append=self._append)
        secrets = SimpleNamespace(redact=str)
        self.wiring: Any = SimpleNamespace(
            checks=checks, artifacts=MemoryArtifactStore(), secrets=secrets
        )
        self.step = Verify(1, f"tree {ATTEMPTS[-1]}", "base", ATTEMPTS)

    def _append(self, *events: Any) -> None:
        self.told += events

    def processes(self) -> int:
        """How many it takes."""
        for number in range(1, 10):
            self.checks.left = 1
            try:
                verify(self.journal, self.step, self.wiring)
            except CloudUnavailable:
                continue
            return number
        pytest.fail("it never ends")


def test_a_guilty_patch_is_found_though_no_process_has_time_for_two_runs() -> None:
    red = {f"tree {a}" for a in ATTEMPTS[ATTEMPTS.index(GUILTY) :]}
    bench = Bench(OneRun(red))
    assert bench.processes() <= 5
    failed, blamed = bench.told
    assert isinstance(failed, VerificationFailed)
    assert isinstance(blamed, PatchBlamed)
    assert (blamed.attempt, blamed.good_tree) == (GUILTY, "tree 1.3.1")


def test_what_is_green_the_second_time_is_flaky_in_the_next_process_too() -> None:
    bench = Bench(OneRun({f"tree {ATTEMPTS[-1]}"}, times=1))
    assert bench.processes() == 2
    (passed,) = bench.told
    assert isinstance(passed, VerificationPassed)
    assert [r.flaky for r in passed.checks] == [True]


def test_of_several_slow_checks_each_is_run_once() -> None:
    bench = Bench(OneRun(()), "make lint", "make types", "make test")
    assert bench.processes() == 3
    (passed,) = bench.told
    assert [r.command for r in passed.checks] == ["make lint", "make types", "make test"]
    assert len(bench.checks.trees) == 3


def test_what_was_red_twice_is_looked_at_again_by_a_later_verification() -> None:
    last = f"tree {ATTEMPTS[-1]}"
    bench = Bench(OneRun({last}, times=2))
    bench.processes()
    assert isinstance(bench.told[0], VerificationFailed)
    bench.step = Verify(2, last, "base", ATTEMPTS)
    bench.told.clear()
    bench.processes()
    assert isinstance(bench.told[0], VerificationPassed)
