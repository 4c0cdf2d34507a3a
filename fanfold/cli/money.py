"""Amounts of money on the command line."""

from __future__ import annotations

import argparse

from fanfold.run.money import MICRO, from_dollars

CENT = MICRO // 100


def budget(text: str) -> int:
    """Dollars as typed, in micro-dollars, for `type=` of an argument."""
    try:
        return from_dollars(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def about(micros: float) -> str:
    """Micro-dollars for a person who watches: cents, or tenths of a cent below a dollar."""
    places = 2 if micros >= MICRO or not micros else 3
    return f"${micros / MICRO:.{places}f}"


def up_to_cents(micros: float) -> int:
    """The amount rounded up to whole cents, in micro-dollars."""
    return -(-int(micros) // CENT) * CENT
