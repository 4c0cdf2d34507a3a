"""What tokens cost, by usage class and size of request."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fanfold.run.attempt import Usage

PICO = 1_000_000  # picodollars in a micro-dollar
UNLIMITED = 2**31 - 1


def per_million(dollars: Decimal) -> int:
    """Picodollars a token, rounded up, from dollars a million tokens."""
    return int((dollars * PICO).to_integral_value(ROUND_CEILING))


class Rate(msgspec.Struct, frozen=True):
    """Picodollars a token, by usage class."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int

    def of(self, usage: Usage) -> int:
        """The price of `usage` in picodollars."""
        return (
            self.input * usage.input
            + self.output * usage.output
            + self.cache_write_5m * usage.cache_write_5m
            + self.cache_write_1h * usage.cache_write_1h
            + self.cache_read * usage.cache_read
        )

    @property
    def dearest_input(self) -> int:
        return max(self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read)


class PriceList(msgspec.Struct, frozen=True):
    """A model's rates; amounts are micro-dollars, rounded up.

    `steps` ascend by `above`, the first one from 0: a request with more than `above` tokens of
    context pays that step's rate for all of its tokens. No request is longer than `window`.
    """

    steps: tuple[tuple[int, Rate], ...]
    window: int = UNLIMITED

    @property
    def room(self) -> int:
        """Input tokens that a request may have at the lowest step, and within the window."""
        return min([above for above, _ in self.steps[1:]] + [self.window])

    def rate(self, context_tokens: int) -> Rate:
        found = self.steps[0][1]
        for above, rate in self.steps[1:]:
            if context_tokens > above:
                found = rate
        return found

    def cost(self, usage: Usage) -> int:
        """The price of one call."""
        return -(-self.rate(usage.context).of(usage) // PICO)

    def worst_case(self, input_tokens: int, max_tokens: int) -> int:
        """No call with at most so many tokens in and out costs more, whatever the cache does."""
        rate = self.rate(input_tokens)
        return -(-(rate.dearest_input * input_tokens + rate.output * max_tokens) // PICO)

    def affordable_tokens(self, input_tokens: int, budget: int) -> int:
        """The largest `max_tokens` whose worst case fits `budget`; 0 when none does."""
        rate = self.rate(input_tokens)
        left = budget * PICO - rate.dearest_input * input_tokens
        if left < 0:
            return 0
        return min(left // rate.output, UNLIMITED) if rate.output else UNLIMITED
