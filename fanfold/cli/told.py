"""What a person tells agents on the command line."""

from __future__ import annotations

import argparse

from fanfold.bootstrap import secret_scanner


def told(text: str) -> str:
    """The text as typed, for `type=` of an argument; one that holds a secret is refused."""
    for found in secret_scanner().find(text):
        raise argparse.ArgumentTypeError(
            f"holds a secret ({found.kind}): it goes into logs and prompts; take it out"
        )
    return text
