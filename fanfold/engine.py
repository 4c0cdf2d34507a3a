"""The local engine.

A loop over `decide` and the steps, the same loop that the state machine is on AWS.
"""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fanfold.errors import FanfoldError, LeaseHeld, RunBusy, Stopped
from fanfold.run import steps
from fanfold.run.events import CancelRequested, RunResumed, run_stream
from fanfold.run.state import Outcome
from fanfold.steps.attempt import attempt
from fanfold.steps.decide import advance
from fanfold.steps.finish import write_result
from fanfold.steps.journal import Journal
from fanfold.steps.perform import perform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fanfold.run.events import AttemptDispatched
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Wiring

LEASE_S = 60.0
RENEW_S = 15.0
LOOK_S = 1.0


class Interrupted(FanfoldError):
    """Ctrl-C: everything was stopped cleanly, and the run can be resumed."""

    exit_code = 130


class LocalEngine:
    """Drives runs of one project in this process; attempts are threads.

    `on_stop` is called in the signal handler, once, when everything is told to stop. With a `crew`
    the attempts of several runs share its threads, and the workspaces are its owner's to close.
    """

    def __init__(
        self,
        wiring: Wiring,
        holder: str,
        on_stop: Callable[[], None] = lambda: None,
        crew: ThreadPoolExecutor | None = None,
    ) -> None:
        self.wiring, self.holder, self._on_stop, self._crew = wiring, holder, on_stop, crew
        self._stop = wiring.stop

    def drive(self, run_id: str) -> RunState:
        """Take the run as far as it goes: to its end, or to a gate that only a person opens.

        Raises:
            RunBusy: another process drives this run.
            Interrupted: Ctrl-C.
        """
        journal = Journal(self.wiring.events, run_id)
        with self._driving(run_id):
            state = journal.refresh()
            if state.admitted and (state.outcome or any(u.tries for u in state.units.values())):
                raise RunBusy(f"run {run_id} has begun already; `fanfold resume {run_id}` goes on")
            return self._loop(journal)

    def resume(self, run_id: str, cap: int | None = None) -> RunState:
        """Take over a run that stopped, as a new generation; `cap` in micro-dollars raises it.

        Raises:
            RunBusy: another process drives this run.
            Interrupted: Ctrl-C.
        """
        journal = Journal(self.wiring.events, run_id)
        with self._driving(run_id):
            state = journal.refresh()
            journal.append(RunResumed(state.generation + 1, cap))
            return self._loop(journal)

    def finish(self, journal: Journal) -> RunState:
        """Take a run that was told to stop to its end.

        Raises:
            RunBusy: another process drives this run.
        """
        with self._driving(journal.run_id):
            journal.refresh()
            return self._loop(journal)

    def _loop(self, journal: Journal) -> RunState:
        while True:
            step = advance(journal, self.wiring.lease)
            if isinstance(step, steps.Ended):
                return journal.state
            if isinstance(step, steps.Ask) and step.waiting:
                write_result(journal.state, Outcome.WAITING, self.wiring)
                return journal.state
            with suppress(Stopped):
                self._perform(journal, step)
            if self._stop.is_set():
                raise Interrupted(
                    f"run {journal.run_id} was interrupted; "
                    f"`fanfold resume {journal.run_id}` goes on"
                )

    def _perform(self, journal: Journal, step: steps.Step) -> None:
        if isinstance(step, steps.Dispatch):
            self._dispatch(journal, step.attempts)
        else:
            with self._heeding_cancel(journal):
                perform(journal, step, self.wiring)

    @contextmanager
    def _heeding_cancel(self, journal: Journal) -> Generator[None]:
        """End checks that run in this block when the run is cancelled meanwhile."""
        store, stream = self.wiring.events, run_stream(journal.run_id)
        version, over = journal.state.version, threading.Event()

        def look() -> None:
            while not over.wait(LOOK_S):
                fresh = store.read(stream, version)
                if any(e.event_type == CancelRequested.event_type() for e in fresh):
                    self.wiring.halt.set()
                    return

        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        try:
            yield
        finally:
            over.set()
            looker.join()
            self.wiring.halt.clear()

    def _dispatch(self, journal: Journal, attempts: tuple[AttemptDispatched, ...]) -> None:
        """Run a wave; it is over when its last attempt is.

        What fails outside stops the others cleanly; a second Ctrl-C does not wait for them.
        """
        workers = min(len(attempts), journal.state.limits.concurrency)
        pool = self._crew or ThreadPoolExecutor(workers, thread_name_prefix="attempt")
        running: set[Future[None]] = {
            pool.submit(self._attempt, journal.state, dispatched) for dispatched in attempts
        }
        try:
            while running:
                ended, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
        except BaseException as error:
            self._stop.set()
            begun = [future for future in running if not future.cancel()]
            if not isinstance(error, KeyboardInterrupt):
                wait(begun)
            raise
        finally:
            if pool is not self._crew:
                pool.shutdown(wait=False)

    def _attempt(self, state: RunState, dispatched: AttemptDispatched) -> None:
        pause = random.uniform(0.0, dispatched.delay_s)  # noqa: S311
        if pause and self._stop.wait(pause):
            return
        attempt(state, dispatched, self.wiring, self.holder, self._stop.is_set)

    @contextmanager
    def _driving(self, run_id: str) -> Generator[None]:
        with self.leased(f"run/{run_id}"), self.interruptible():
            try:
                yield
            finally:
                if self._crew is None:
                    self.wiring.workspaces.close()

    @contextmanager
    def leased(self, name: str) -> Generator[None]:
        """Hold the lease and renew it until the block ends. Raises `RunBusy`."""
        try:
            self.wiring.lease.acquire(name, self.holder, LEASE_S)
        except LeaseHeld as error:
            raise RunBusy(f"{name} is driven by {error.holder}; wait for it, or stop it") from None
        over = threading.Event()
        renewer = threading.Thread(target=self._renew, args=(name, over), daemon=True)
        renewer.start()
        try:
            yield
        finally:
            over.set()
            renewer.join()
            # On a full disk it cannot be written; it ends with this process all the same.
            with suppress(FanfoldError):
                self.wiring.lease.release(name, self.holder)

    def _renew(self, name: str, over: threading.Event) -> None:
        while not over.wait(RENEW_S):
            self.wiring.lease.renew(name, self.holder, LEASE_S)

    @contextmanager
    def interruptible(self) -> Generator[None]:
        """The first Ctrl-C or SIGTERM stops cleanly, a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(*_: object) -> None:
            if self._stop.is_set():
                raise KeyboardInterrupt
            self._stop.set()
            self._on_stop()

        before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
