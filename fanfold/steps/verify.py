"""Verify: run the checks on a merged tree; on red, find the guilty patch by prefix bisection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.redaction import told_safely
from fanfold.patch.bisect import first_red
from fanfold.run.artifacts import verify_file
from fanfold.run.attempt import CheckResult
from fanfold.run.events import PatchBlamed, VerificationFailed, VerificationPassed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import CommandResult
    from fanfold.run.events import CheckSpec
    from fanfold.run.state import RunState
    from fanfold.run.steps import Verify
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring

TAIL = 4000


def verify(journal: Journal, step: Verify, wiring: Wiring) -> None:
    """Append what the checks say of `step.tree`, and whom a red one is blamed on."""
    Verification(journal, step, wiring).run()


class Verification:
    """One verification; results are kept by tree, so that a repeated one costs nothing.

    One that is cut off goes on where it was: every run of the checks counts.
    """

    def __init__(self, journal: Journal, step: Verify, wiring: Wiring) -> None:
        self.journal, self.step, self.wiring = journal, step, wiring
        self.state: RunState = journal.state
        self.baseline = {r.command: r.ok for r in self.state.baseline or ()}
        self.runs = 0

    def run(self) -> None:
        if self.step.baseline:
            self._measure()
            return
        results = self._settle_flaky(self._results(self.step.tree, self.state.checks))
        if not guilty(results):
            self.journal.append(VerificationPassed(self.step.seq, self.step.tree, results))
            return
        failed = VerificationFailed(self.step.seq, self.step.tree, results)
        blamed = self._blame(results) if self.step.suspects else None
        self.journal.append(failed, *([blamed] if blamed else []))

    def _measure(self) -> None:
        results = tuple(
            msgspec.structs.replace(r, baseline_ok=r.ok)
            for r in self._results(self.step.tree, self.state.checks)
        )
        green = all(r.ok for r in results if r.required)
        kind = VerificationPassed if green else VerificationFailed
        self.journal.append(kind(self.step.seq, self.step.tree, results, baseline=True))

    def _settle_flaky(self, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        """What is red is run once more: green now means flaky, and is recorded as that."""
        red = {r.command for r in guilty(results)}
        if not red:
            return results
        checks = [c for c in self.state.checks if c.command in red]
        again = self._results(self.step.tree, checks, again=f"-{self.step.seq}")
        turned = {r.command for r in again if r.ok}
        settled = tuple(
            msgspec.structs.replace(r, ok=True, flaky=True) if r.command in turned else r
            for r in results
        )
        if turned:
            self._keep(self.step.tree, settled)
        return settled

    def _blame(self, results: tuple[CheckResult, ...]) -> PatchBlamed:
        red = {r.command for r in guilty(results)}
        checks = [c for c in self.state.checks if c.command in red]
        trees = {a.attempt: a.tree for a in self.state.applied}
        prefixes = [trees[s] for s in self.step.suspects]

        def is_green(length: int) -> bool:
            return not guilty(self._results(prefixes[length - 1], checks))

        position = first_red(len(prefixes), is_green)
        attempt = self.step.suspects[position]
        return PatchBlamed(
            seq=self.step.seq,
            attempt=attempt,
            unit=next(a.unit for a in self.state.applied if a.attempt == attempt),
            good_tree=prefixes[position - 1] if position else self.step.good_tree,
            checks=guilty(results),
            runs=self.runs,
        )

    def _results(
        self, tree: str, checks: Sequence[CheckSpec], again: str = ""
    ) -> tuple[CheckResult, ...]:
        """Those that are known and those of one more run; `again` tells a second run's apart."""
        known = {r.command: r for r in self._kept(tree + again)}
        missing = [c for c in checks if c.command not in known]
        if missing:

            def keep(results: tuple[CheckResult, ...]) -> None:
                self._keep(tree + again, (*known.values(), *results))

            known |= {r.command: r for r in self._run(tree, missing, keep)}
        return tuple(known[c.command] for c in checks)

    def _run(
        self,
        tree: str,
        checks: Sequence[CheckSpec],
        keep: Callable[[tuple[CheckResult, ...]], None],
    ) -> tuple[CheckResult, ...]:
        self.runs += 1

        def judged(finished: Sequence[CommandResult]) -> tuple[CheckResult, ...]:
            return tuple(self._judged(c, f) for c, f in zip(checks, finished, strict=False))

        commands = [(c.command, c.timeout_s) for c in checks]
        finished = self.wiring.checks.run(tree, commands, so_far=lambda some: keep(judged(some)))
        results = judged(finished)
        keep(results)
        return results

    def _judged(self, check: CheckSpec, finished: CommandResult) -> CheckResult:
        return CheckResult(
            command=check.command,
            ok=finished.exit_code == 0 and not finished.timed_out,
            required=check.required,
            baseline_ok=self.baseline.get(check.command),
            exit_code=finished.exit_code,
            duration_s=round(finished.duration_s, 3),
            output_tail=self.wiring.secrets.redact(finished.output)[-TAIL:],
            incidents=told_safely(finished.incidents, self.wiring.secrets),
        )

    def _kept(self, name: str) -> tuple[CheckResult, ...]:
        key = verify_file(self.journal.run_id, f"{name}.json")
        if not self.wiring.artifacts.exists(key):
            return ()
        return msgspec.json.decode(self.wiring.artifacts.get(key), type=tuple[CheckResult, ...])

    def _keep(self, name: str, results: tuple[CheckResult, ...]) -> None:
        key = verify_file(self.journal.run_id, f"{name}.json")
        self.wiring.artifacts.put(key, msgspec.json.encode(results))


def guilty(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """The red results that a patch can be blamed for: required, and not red on the base already."""
    return tuple(r for r in results if r.required and not r.ok and r.baseline_ok is not False)
