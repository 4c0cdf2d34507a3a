"""The worker: one attempt in a container, from the environment it is given to its last event."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from fanfold.bootstrap_worker import post
from fanfold.errors import FanfoldError
from fanfold.steps.serve import INTERRUPTED, LATE, Entered, Pulse, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.bootstrap_worker import Post

SAVING_S, LAST_S = 240.0, 30.0
"""How long before nobody waits any more it saves what it has, and is gone whatever hangs."""

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
    _later(mine.worker.timeout_s - SAVING_S, lambda: pulse.stop(LATE))
    _later(mine.worker.timeout_s - LAST_S, lambda: os._exit(KILLED))

    def enter() -> Entered:
        cloud = mine.cloud.claimed(mine.claim)
        run_id = mine.claim.run_id
        return Entered(cloud.supervision.journal(run_id), cloud.wiring(run_id))

    serve(mine.claim.attempt, enter, mine.claim.holder, pulse, mine.callback)
    return TERMINATED if pulse.stopping() else 0


def _later(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(max(seconds, 0.0), action)
    timer.daemon = True
    timer.start()


def _refuse(error: FanfoldError) -> int:
    print(f"fanfold: {error}", file=sys.stderr)  # noqa: T201
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
