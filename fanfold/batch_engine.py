"""The engine of batches: runs side by side, each driven by a thread, their attempts by one crew."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from fanfold.engine import Interrupted, LocalEngine
from fanfold.errors import RunBusy
from fanfold.run.batch import Await
from fanfold.run.batch_events import BatchResumed
from fanfold.steps.batch import advance, cap_of, ensure_submitted
from fanfold.steps.batch_report import write_report
from fanfold.steps.journal import BatchJournal, Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from fanfold.ports import Checks, CommandResult, StopSignal
    from fanfold.run.batch_state import BatchState
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Wiring

    Asked = tuple[str, tuple[tuple[str, float], ...]]

LOOK_S = 0.5


class BatchEngine:
    """Drives batches of one project in this process.

    `on_stop` is called in the signal handler, once, when everything is told to stop.
    """

    def __init__(
        self, wiring: Wiring, holder: str, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self.wiring, self.holder, self._on_stop = wiring, holder, on_stop

    def drive(self, batch_id: str) -> BatchState:
        """Take the batch as far as it goes: to its end, or to gates that only a person opens.

        Raises:
            RunBusy: another process drives this batch, or one did before.
            Interrupted: Ctrl-C.
        """
        with self._driving(batch_id) as driving:
            if any(track.generation for track in driving.journal.refresh().tracks.values()):
                how = f"`fanfold resume {batch_id}` goes on"
                raise RunBusy(f"batch {batch_id} has begun already; {how}")
            return driving.loop()

    def resume(self, batch_id: str, cap: int | None = None) -> BatchState:
        """Take over a batch that stopped, as a new generation.

        `cap` in micro-dollars is its new one. Raises what `drive` does.
        """
        with self._driving(batch_id) as driving:
            state = driving.journal.refresh()
            driving.journal.append(BatchResumed(state.generation + 1, cap))
            return driving.loop()

    def finish(self, batch_id: str) -> BatchState:
        """Take a batch that was told to stop to its end."""
        with self._driving(batch_id) as driving:
            driving.journal.refresh()
            return driving.loop()

    @contextmanager
    def _driving(self, batch_id: str) -> Generator[_Driving]:
        journal = BatchJournal(self.wiring.events, batch_id)
        state = journal.refresh()
        crew = ThreadPoolExecutor(state.concurrency, thread_name_prefix="attempt")
        drivers = ThreadPoolExecutor(2 * len(state.tracks) + 1, thread_name_prefix="run")
        wiring = replace(self.wiring, checks=SharedChecks(self.wiring.checks))
        engine = LocalEngine(wiring, self.holder, self._on_stop, crew)
        with engine.leased(f"batch/{batch_id}"), engine.interruptible():
            try:
                yield _Driving(journal, engine, drivers)
            except BaseException as error:
                self.wiring.stop.set()
                patient = not isinstance(error, KeyboardInterrupt)
                drivers.shutdown(wait=patient, cancel_futures=True)
                crew.shutdown(wait=patient, cancel_futures=True)
                raise
            finally:
                self.wiring.workspaces.close()
            drivers.shutdown()
            crew.shutdown()


class SharedChecks:
    """`ports.Checks` for runs side by side: what is green on a tree is not run there again.

    Whoever asks while the same is under way waits for it; what is red is run for each that asks.
    """

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._green: dict[Asked, list[CommandResult]] = {}
        self._under_way: dict[Asked, threading.Lock] = {}

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: StopSignal | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,
    ) -> list[CommandResult]:
        if hide or stop:
            return self._checks.run(tree, commands, hide=hide, stop=stop, so_far=so_far)
        asked = (tree, tuple(commands))
        with self._under_way.setdefault(asked, threading.Lock()):
            if asked in self._green:
                return self._green[asked]
            results = self._checks.run(tree, commands, so_far=so_far)
            if all(r.exit_code == 0 and not r.timed_out for r in results):
                self._green[asked] = results
            return results


@dataclass
class _Driving:
    """A batch under way in this process."""

    journal: BatchJournal
    engine: LocalEngine
    drivers: ThreadPoolExecutor
    driven: dict[Future[RunState], str] = field(default_factory=dict["Future[RunState]", str])

    def loop(self) -> BatchState:
        wiring = self.engine.wiring
        while True:
            step = advance(self.journal, wiring.artifacts)
            if not isinstance(step, Await):
                write_report(self.journal.state, wiring.events, wiring.artifacts)
                return self.journal.state
            for run_id in set(step.runs) - set(self.driven.values()):
                self.driven[self.drivers.submit(self._carry_on(run_id))] = run_id
            ended, _ = wait(self.driven, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in ended:
                del self.driven[future]
                self._check(future)

    def _carry_on(self, run_id: str) -> Callable[[], RunState]:
        """What drives the run, from its beginning or from wherever it was left."""
        wiring = self.engine.wiring
        request = ensure_submitted(self.journal, run_id, wiring.artifacts)
        wiring.repository.keep(f"runs/{run_id}/base", request.base)
        state = Journal(wiring.events, run_id).refresh()
        if state.outcome is None and not any(u.tries for u in state.units.values()):
            return partial(self.engine.drive, run_id)
        return partial(self.engine.resume, run_id, cap_of(self.journal.state, run_id))

    def _check(self, future: Future[RunState]) -> None:
        """Raises what stopped the run, in the name of the batch where that was Ctrl-C."""
        try:
            future.result()
        except Interrupted:
            name = self.journal.batch_id
            how = f"`fanfold resume {name}` goes on"
            raise Interrupted(f"batch {name} was interrupted; {how}") from None
