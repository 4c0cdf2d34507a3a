"""Types that threads decode are learnt before there are threads."""

from __future__ import annotations

from typing import Any

import msgspec


def learn(*kinds: Any) -> None:
    """Have msgspec look at `kinds` now, which it otherwise does at their first use.

    Two threads in which that happens at once bring the process down (msgspec 0.22).
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)
