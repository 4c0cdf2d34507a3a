"""Amounts of money on the command line."""

from __future__ import annotations

import argparse

from fanfold.run.money import from_dollars


def budget(text: str) -> int:
    """Dollars as typed, in micro-dollars, for `type=` of an argument."""
    try:
        return from_dollars(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
