"""What `fanfold doctor` says of one thing."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at; `mend` is what to do when it is not ok.

    Without what is not `required` a run starts all the same.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    required: bool = True
