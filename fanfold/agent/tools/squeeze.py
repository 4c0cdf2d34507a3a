"""Command output without what says nothing: colours, progress, long runs of passed tests.

What failed, and all that is not known to be idle, stays as it is. A run is shown by its first line
and its last, with the number of those between.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_RUN = 6
LONGEST_LINE = 400
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_PASSED = re.compile(
    r"""
      \S*::\S.*\ PASSED(?:\ +\[\ *\d+%\])?        # pytest -v
    | \[gw\d+\]\ \[\ *\d+%\]\ PASSED\ .+          # pytest-xdist
    | .+\ \.{2,3}\ ?ok                            # unittest, cargo, prove
    | \s*(?:===\ (?:RUN|PAUSE|CONT|NAME)\s|---\ PASS:\ ).*          # go test -v
    | \s*ok\ \d+\b(?!.*\#\ (?:TODO|SKIP)).*       # TAP
    | \s*[✓✔√]\ .+                                # mocha, jest, vitest, node
    | \[\ +(?:RUN|OK)\ +\]\ .+                    # googletest
    | .+\ >\ .+\ PASSED                           # gradle
    | \s*\d+/\d+\ Test\ +\#\d+:\ .+\ Passed\ .+   # ctest
    """,
    re.VERBOSE,
)
_PROGRESS = re.compile(
    r"""
      \s*(?:Compiling|Checking|Downloaded|Downloading|Fresh|Adding|Locking)\ \S+\ v\d.*      # cargo
    | \s*(?:Collecting|Downloading|Using\ cached|Requirement\ already\ satisfied:)\ .+       # pip
    | \[\ *\d+/\d+\]\ (?:Building|Linking|Generating|Compiling|Copying|Installing)\b.*       # ninja
    | \[\ *\d+%\]\ (?:Building|Linking|Built|Generating)\b.*                                 # make
    | go:\ downloading\ .+
    """,
    re.VERBOSE,
)
_KINDS = (("passed tests", _PASSED), ("progress", _PROGRESS))


def squeezed(output: str) -> str:
    """`output` as a person would read it; never longer, and the same where there is no idle run."""
    text = _ESCAPES.sub("", output).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2] or line for line in text.split("\n")]
    return "\n".join(_told(lines))


def _told(lines: list[str]) -> Iterator[str]:
    for said, group in groupby(lines, _kind):
        run = list(group)
        if not said or len(run) < SHORTEST_RUN:
            yield from run
            continue
        yield run[0]
        yield f"[… {len(run) - 2} lines of {said} left out …]"
        yield run[-1]


def _kind(line: str) -> str:
    """What a run of such lines is called; a line that may matter has no name."""
    if len(line) > LONGEST_LINE:
        return ""
    return next((name for name, form in _KINDS if form.fullmatch(line)), "")
