"""The worker: one attempt in a container, from the environment it is given to its last event."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from fanfold.bootstrap_aws import post
from fanfold.errors import FanfoldError
from fanfold.steps.serve import INTERRUPTED, LATE, Pulse, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.bootstrap_aws import Post

STARTING_S = 300.0
EARLY_S, FINAL_S = 240.0, 480.0
"""How long after its own minutes a container that should have ended saves its work, and is gone."""

KILLED, TERMINATED = 137, 143


def main() -> int:
    """The exit code: 0 when the attempt is over, 143 when it was cut short, 2 for what it lacks."""
    try:
        mine = post()
    except FanfoldError as error:
        return _refuse(error)
    pulse = Pulse(mine.callback, mine.worker.heartbeat_s)

    def stop(*_: object) -> None:
        pulse.stop(INTERRUPTED)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        return _work(mine, pulse)
    except FanfoldError as error:
        mine.callback.fail(type(error).__name__, str(error))
        return _refuse(error)
    except Exception as error:  # the edge: who waits is told before the container ends
        mine.callback.fail("Worker.Crashed", f"{type(error).__name__}: {error}")
        raise


def _work(mine: Post, pulse: Pulse) -> int:
    worker = mine.worker
    starting = _end_after(STARTING_S)
    journal = mine.cloud.supervision.journal(worker.run_id)
    minutes = journal.refresh().limits.minutes
    starting.cancel()
    _later(minutes * 60 + EARLY_S, lambda: pulse.stop(LATE))
    _end_after(minutes * 60 + FINAL_S)
    serve(
        journal,
        worker.attempt,
        lambda: mine.cloud.wiring(worker.run_id),
        mine.holder,
        pulse,
        mine.callback,
    )
    return TERMINATED if pulse.stopping() else 0


def _end_after(seconds: float) -> threading.Timer:
    """Whatever hangs then, hangs no longer."""
    return _later(seconds, lambda: os._exit(KILLED))


def _later(seconds: float, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer


def _refuse(error: FanfoldError) -> int:
    print(f"fanfold: {error}", file=sys.stderr)  # noqa: T201
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
