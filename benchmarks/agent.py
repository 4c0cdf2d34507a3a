"""Steps a second of an attempt's loop beside mini-swe-agent's: the same forty scripted commands.

fanfold looks by its file tools, and once more by the same commands, each with limits and an end to
what it left running. They take turns, so that a busy machine slows all. Exits 1 where ours is the
slower one. What a sandbox for each command takes is shown beside; mini-swe-agent's has none.
"""

from __future__ import annotations

import sys

from own import contains, played
from rival import RIVAL, STEPS, told

ROUNDS = 5


def main() -> int:
    theirs: list[float] = []
    files: list[float] = []
    commands: list[float] = []
    contained: list[float] = []
    for _ in range(ROUNDS):
        one = told()
        theirs += [one["seconds"]] if one else []
        files.append(played(files=True).seconds)
        commands.append(played(files=False).seconds)
        contained += [played(files=False, contained=True).seconds] if contains() else []
    print(f"fanfold, its file tools: {STEPS / min(files):.0f} steps/s")
    print(f"fanfold, commands, cleaned up after: {STEPS / min(commands):.0f} steps/s")
    if contained:
        print(f"fanfold, commands each in bubblewrap: {STEPS / min(contained):.0f} steps/s")
    if not theirs:
        print(f"{RIVAL} cannot be had here: no comparison")
        return 0
    print(f"{RIVAL}, commands: {STEPS / min(theirs):.0f} steps/s")
    ratios = [min(theirs) / min(files), min(theirs) / min(commands)]
    print(f"ratios: {ratios[0]:.2f} and {ratios[1]:.2f} (at least 1)")
    return 0 if min(ratios) >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
