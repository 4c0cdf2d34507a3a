"""Steps a second of an attempt's loop beside mini-swe-agent's, whose commands nothing contains.

Forty looks at small files: by our file tools, and by the same commands, each with limits and an end
to what it left running, bare and in bubblewrap. Then the forty actions of a real change of a real
package (`forty.toml`), most of whose time its own tests take. They take turns, so that a busy
machine slows all. Exits 1 where ours is the slower one: by file tools, by bare commands, or in the
real change with every command contained.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from forty import forty, ours, theirs, unpack
from own import contains, looks, played, tools_path
from rival import STEPS, command, make_files
from wire import RIVAL, archive, has_rival, rival

ROUNDS = 5
FILES, BARE, CONTAINED = (
    "fanfold, its file tools",
    "fanfold, commands, cleaned up after",
    "fanfold, each command in bubblewrap",
)
COMMANDS = [command(step) for step in range(STEPS)]


def by_rival(commands: list[str], source: Path | None = None) -> float:
    """Seconds of one attempt of it, in the files to look at or in a package."""
    with tempfile.TemporaryDirectory() as name:
        place = unpack(source, Path(name)) if source else Path(name)
        if source is None:
            make_files(place)
        return float(rival("play", str(place), tools_path(), given=commands))


class Fastest:
    """The shortest of several rounds, by name; what is not there has no time."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def take(self, name: str, seconds: float) -> None:
        self._seconds[name] = min(seconds, self._seconds.get(name, seconds))

    def ratio(self, name: str) -> float:
        """How many times faster than the rival."""
        return self._seconds[RIVAL] / self._seconds[name]

    def __str__(self) -> str:
        rows = (
            f"  {name:<42} {seconds:6.2f} s, {STEPS / seconds:4.0f} steps/s,"
            f" {self.ratio(name):.2f} of {RIVAL}"
            for name, seconds in self._seconds.items()
        )
        return "\n".join(rows)


def small() -> bool:
    times = Fastest()
    for _ in range(ROUNDS):
        times.take(FILES, played(looks(files=True)))
        times.take(BARE, played(looks(files=False)))
        if contains():
            times.take(CONTAINED, played(looks(files=False), contained=True))
        times.take(RIVAL, by_rival(COMMANDS))
    print(f"{STEPS} looks at small files:\n{times}")
    return min(times.ratio(FILES), times.ratio(BARE)) >= 1


def real(source: Path) -> bool:
    """With commands contained where that can be done."""
    actions, how = forty().actions, CONTAINED if contains() else BARE
    turns = [[ours(action)] for action in actions]
    commands = [str(theirs(action)["input"]["command"]) for action in actions]
    times = Fastest()
    for _ in range(ROUNDS):
        times.take(how, played(turns, source, contained=contains()))
        times.take(RIVAL, by_rival(commands, source))
    print(f"a real change in {STEPS} actions, its tests included:\n{times}")
    return times.ratio(how) >= 1


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        source = archive(Path(name))
        if source is None or not has_rival():
            print(f"{RIVAL} or its package cannot be had here: no comparison")
            return 0
        return 0 if all([small(), real(source)]) else 1


if __name__ == "__main__":
    sys.exit(main())
