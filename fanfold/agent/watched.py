"""Long calls that can be left behind: stop, cancel and deadline do not wait for their end."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ASK_S = 0.5


class Watched:
    """One daemon thread that carries out calls; it never keeps a process alive that must end."""

    def __init__(self, guard: Callable[[], None], ask_s: float = ASK_S) -> None:
        self._guard, self._ask_s = guard, ask_s
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        self._thread: Thread | None = None

    def run(self, call: Callable[[], Any]) -> Any:
        """What `call` gives or raises, or what `guard` raises, which is asked all the while.

        In the last case the call is left behind, and this object with it.
        """
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True, name="model-calls")
            self._thread.start()
        self._calls.put(call)
        while True:
            try:
                result, error = self._outcomes.get(timeout=self._ask_s)
            except Empty:
                self._guard()
                continue
            if error is not None:
                raise error
            return result

    def close(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._outcomes.put((call(), None))
            except BaseException as error:  # raised again where it is waited for
                self._outcomes.put((None, error))
