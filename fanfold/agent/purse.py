"""The attempt's money: reserve the worst case before a call, settle its real cost after it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.exits import BudgetSpent
from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from fanfold.ports import ModelReply, Prices

USEFUL_TOKENS = 1_024


class Tokens(msgspec.Struct, frozen=True):
    """Input tokens of a request: those cached for an hour, and those for five minutes at most."""

    lasting: int
    moving: int

    @property
    def all(self) -> int:
        return self.lasting + self.moving


class Reservation(msgspec.Struct, frozen=True):
    """What one call may take; `worst_case` in micro-dollars."""

    max_tokens: int
    worst_case: int


class Purse:
    """A slice in micro-dollars; `spent` plus what is reserved never plans beyond it."""

    def __init__(self, slice_: int, model: str, prices: Prices) -> None:
        self.slice, self.model, self._prices = slice_, model, prices
        self.spent = 0
        self.usage = Usage()
        self._reserved = 0
        self._messages: set[str] = set()

    @property
    def cost(self) -> int:
        """Spent, and in full what is reserved for a call that has not ended."""
        return self.spent + self._reserved

    @property
    def left(self) -> int:
        return self.slice - self.cost

    @property
    def room(self) -> int:
        """Tokens that a request may have before it gets dearer, or does not fit the model."""
        return self._prices.room(self.model)

    def reserve(self, tokens: Tokens, wish: int) -> Reservation:
        """Up to `wish` output tokens, fewer where the slice holds no more; raises `BudgetSpent`."""
        outputs = range(wish + 1)
        fitting = bisect_right(outputs, self.left, key=lambda n: self._worst_case(tokens, n))
        max_tokens = fitting - 1
        if max_tokens < min(wish, USEFUL_TOKENS):
            raise BudgetSpent(
                f"${self.left / 1e6:.4f} of the slice of ${self.slice / 1e6:.2f} is left;"
                f" a call with about {tokens.all} input tokens may need more"
            )
        self._reserved = self._worst_case(tokens, max_tokens)
        return Reservation(max_tokens, self._reserved)

    def _worst_case(self, tokens: Tokens, output: int) -> int:
        """Nothing comes from the cache: all of it is written there, or none."""
        written = Usage(cache_write_1h=tokens.lasting, cache_write_5m=tokens.moving, output=output)
        plain = Usage(input=tokens.all, output=output)
        cost = self._prices.cost
        return max(cost(self.model, written), cost(self.model, plain))

    def settle(self, reply: ModelReply) -> tuple[Usage, int]:
        """Charges the reply and gives what was charged: nothing for a message already paid for."""
        self._reserved = 0
        if reply.message_id and reply.message_id in self._messages:
            return Usage(), 0
        self._messages.add(reply.message_id)
        cost = self._prices.cost(self.model, reply.usage)
        self.spent += cost
        self.usage += reply.usage
        return reply.usage, cost

    def forfeit(self, reservation: Reservation) -> int:
        """A call that may have been billed counts in full."""
        self._reserved = 0
        self.spent += reservation.worst_case
        return reservation.worst_case

    def release(self) -> int:
        """A call that was surely not billed costs nothing."""
        self._reserved = 0
        return 0


class TokenEstimate:
    """How many input tokens the next request will have, on the safe side.

    Last usage plus characters/3 of what came since, times a margin of 1.1; the margin grows with
    the worst ratio seen between the count the API reported and the plain estimate.
    """

    def __init__(self, lasting_characters: int = 0) -> None:
        self._lasting_chars = lasting_characters
        self._margin = 1.1
        self._known = 0
        self._known_chars = 0
        self._expected = 0

    def tokens(self, characters: int) -> Tokens:
        """For a request of `characters` in all, JSON included."""
        delta = max(characters - self._known_chars, 0)
        plain = max(self._known + delta // 3, characters // 5)
        self._expected = plain
        every = int(plain * self._margin) + 1
        lasting = min(int(self._lasting_chars // 3 * self._margin) + 1, every)
        return Tokens(lasting, every - lasting)

    def restart(self) -> None:
        """Nothing is known of the next request but its size; the margin stays."""
        self._known = self._known_chars = 0

    def observe(self, usage: Usage, characters: int) -> None:
        """The API's count of the last request; `characters` now include its reply."""
        if self._expected:
            self._margin = max(self._margin, 1.1 * usage.context / self._expected)
        self._known, self._known_chars = usage.context + usage.output, characters
