"""The ledger's arithmetic.

The ledger itself is the fold of the run stream; all amounts are micro-dollars.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

MICRO = 1_000_000
WARN_AT = 0.8
SMALLEST_SHARE = 4
MOST_DOLLARS = 1_000_000_000


def slice_for(available: int, wanted: int) -> int:
    """The slice that `available` still pays for.

    All of `wanted`, a part not below a quarter, or 0.
    """
    if available >= wanted:
        return wanted
    return available if available * SMALLEST_SHARE >= wanted and available > 0 else 0


def dollars(micros: int) -> str:
    """Micro-dollars as a decimal string of dollars without trailing zeros beyond cents.

    `1.5` is "1.50".
    """
    value = Decimal(micros) / MICRO
    text = f"{value:.6f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')}"


def from_dollars(text: str) -> int:
    """Dollars as typed, in micro-dollars.

    Raises:
        ValueError: for what is no number, below a micro-dollar or above a billion dollars.
    """
    try:
        value = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount of dollars") from None
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{text!r} is not an amount above 0")
    if value > MOST_DOLLARS:
        raise ValueError(f"{text!r} is more than a billion dollars")
    micros = int((value * MICRO).to_integral_value(ROUND_HALF_UP))
    if not micros:
        raise ValueError(f"{text!r} is below a millionth of a dollar")
    return micros
