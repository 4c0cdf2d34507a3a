"""One call of the model: reserve, announce, send, retry, charge."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.exits import BadRequest, ContextFull, ModelShut, NoModel
from fanfold.agent.purse import TokenEstimate
from fanfold.agent.watched import Watched
from fanfold.errors import (
    ModelDenied,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    StreamConflict,
    StreamDropped,
    UserError,
)
from fanfold.ports import ModelReply
from fanfold.run.attempt import Usage
from fanfold.run.events import ModelCalled, ModelCallStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.agent.desk import Desk
    from fanfold.agent.history import History
    from fanfold.agent.purse import Purse, Reservation
    from fanfold.agent.timing import Timing
    from fanfold.run.attempt import Context

TRIES = 5
MAX_OUTPUT = 16_000
LONGEST_CALL_S = 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


class Answer(msgspec.Struct, frozen=True):
    """A whole reply that is not charged yet."""

    reply: ModelReply
    call: int
    retries: int
    max_tokens: int


class Caller:
    """Asks the model on behalf of one attempt; `guard` is asked before every try."""

    def __init__(
        self,
        context: Context,
        desk: Desk,
        purse: Purse,
        timing: Timing,
        history: History,
        guard: Callable[[], None],
    ) -> None:
        self._model, self._name, self._effort = desk.model, context.model, context.effort
        self._log, self._purse, self._timing, self._guard = desk.events, purse, timing, guard
        self._history = history
        self._estimate = TokenEstimate(len(history.shared) if history.lasts else 0)
        self._warmth = desk.warmth
        self._shared = msgspec.json.encode(context.model) + history.shared
        self._watched = Watched(guard)
        self._calls = 0
        self._jitter = random.SystemRandom().random

    def close(self) -> None:
        self._watched.close()

    @property
    def tokens(self) -> int:
        """Of the request that would be sent now, on the safe side."""
        return self._estimate.tokens(self._history.characters).all

    def restarted(self) -> None:
        """The conversation is another one: what the API counted of the last does not hold."""
        self._estimate.restart()

    def query(self, wish: int = MAX_OUTPUT) -> Answer:
        """A reply after at most five tries. Raises the `Stop` that fits when there is none."""
        last = ""
        for retry in range(TRIES):
            self._guard()
            outcome = self._try(retry, wish)
            if isinstance(outcome, Answer):
                return outcome
            last = str(outcome)
            self._wait(_retryable(outcome), retry)
        raise NoModel(f"no reply after {TRIES} tries: {last}")

    def _try(self, retry: int, wish: int) -> Answer | ModelError:
        with self._warmth.turn(self._shared, self._guard, lasting=self._history.lasts) as warmed:
            reservation = self._announce(wish)
            try:
                reply = self._send(reservation)
            except ModelError as error:
                self._record_failure(reservation, error, retry)
                return error
            warmed()
        return Answer(reply, self._calls, retry, reservation.max_tokens)

    def charge(self, answer: Answer) -> None:
        """Settles the money before anything of the reply is looked at."""
        reply = answer.reply
        usage, cost = self._purse.settle(reply)
        self._log.append(
            ModelCalled(
                call=answer.call,
                message_id=reply.message_id,
                usage=usage,
                cost=cost,
                latency_ms=reply.latency_ms,
                stop_reason=reply.stop_reason,
                retries=answer.retries,
            )
        )
        self._history.add_reply(reply.content)
        self._estimate.observe(reply.usage, self._history.characters)

    def _announce(self, wish: int) -> Reservation:
        tokens = self._estimate.tokens(self._history.characters)
        reservation = self._purse.reserve(tokens, wish)
        self._calls += 1
        started = ModelCallStarted(
            call=self._calls,
            model=self._name,
            worst_case=reservation.worst_case,
            max_tokens=reservation.max_tokens,
        )
        try:
            self._log.append(started)
        except StreamConflict:
            self._purse.release()
            raise
        return reservation

    def _send(self, reservation: Reservation) -> ModelReply:
        request = self._history.request(self._name, reservation.max_tokens, self._effort)
        seconds = min(self._timing.left, LONGEST_CALL_S)
        try:
            reply = self._watched.run(lambda: self._model.send(request, timeout_s=seconds))
        except UserError as error:
            raise ModelDenied(str(error)) from error
        if not reply.stop_reason:
            raise StreamDropped("the reply ended without a stop reason")
        return reply

    def _record_failure(self, reservation: Reservation, error: ModelError, retry: int) -> None:
        billed = isinstance(error, ModelUnavailable) and error.billed
        cost = self._purse.forfeit(reservation) if billed else self._purse.release()
        self._log.append(
            ModelCalled(
                call=self._calls,
                message_id="",
                usage=Usage(),
                cost=cost,
                latency_ms=0,
                retries=retry,
                error=type(error).__name__,
            )
        )

    def _wait(self, error: ModelUnavailable, retry: int) -> None:
        """Full jitter, or what the API asked for, up to a minute and never past the deadline."""
        if retry + 1 == TRIES:
            return
        seconds = self._jitter() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**retry)
        seconds = min(max(seconds, error.retry_after or 0.0), LONGEST_WAIT_S)
        if seconds >= self._timing.left:
            raise NoModel(f"no time is left to try again: {error}")
        self._timing.sleep(seconds, self._guard)


def _retryable(error: ModelError) -> ModelUnavailable:
    """The error when another try may help; raises the `Stop` that fits otherwise."""
    match error:
        case ModelUnavailable():
            return error
        case ModelRejected() if "too long" in str(error):
            raise ContextFull(str(error)) from error
        case ModelRejected():
            raise BadRequest(str(error)) from error
        case _:
            raise ModelShut(str(error)) from error
