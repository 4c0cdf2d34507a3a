"""Every command on a run in the cloud says what it says on the same run of this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fakes.hosted import hosted
from tests.fakes.projects import fanfold
from tests.fakes.tracks import letters, letters_repository, play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATED = """\
# Letters

## Phase 1: Greek

- [ ] Task: Write alpha
- [ ] Task: Write beta
- [ ] Task: Conductor - User Manual Verification 'Greek' (Protocol in workflow.md)

## Phase 2: Hebrew

- [ ] Task: Write gimel
"""
RUN = ("run", "--budget", "5", "--check", "true", "--unit", "task")
PLACED = (
    (r"\b[0-9a-f]{40,64}\b|\| [0-9a-f]{7} \||base [0-9a-f]{7}\b", "HASH"),
    (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "UUID"),
    (r"20\d\d-\d\d-\d\dT[\d:.+]+Z?", "WHEN"),
    (r"\d+\.\d+ s\b|\b\d+:\d\d\b", "TIME"),
    (r'"(duration_s|duration_ms|latency_ms)": ?[\d.]+', "TIME"),
    (r'"engine":"(local|aws)"|"placement":"(local|fargate)"|"holder":"[^"]*"', "PLACE"),
    (r'"sandbox":(true|false)|"files": \d+', "PLACE"),
)
"""What is another in another place, at another time, and so is whatever is named after them."""
WAITING = (
    ("status", "--json"),
    ("status", "RUN"),
    ("status", "RUN", "--json"),
    ("watch", "RUN"),
    ("show",),
    ("show", "RUN", "1.1"),
    ("show", "RUN", "1.1", "--json"),
    ("show", "RUN", "1.1", "--patch"),
    ("show", "RUN", "1.1", "--transcript"),
    ("show", "RUN", "2.1"),
    ("events", "RUN"),
    ("events", "RUN", "--category", "agent"),
    ("cost", "--json"),
    ("cost", "RUN", "--by", "role"),
    ("resume", "RUN"),
    ("apply", "RUN", "--no-commit"),
    ("apply", "--undo"),
    ("clean", "RUN"),
    ("retry", "RUN", "2.1"),
    ("retry", "RUN", "1.1", "--budget", "0.0001"),
    ("resolve", "RUN", "1.1"),
    ("reject", "RUN", "9.9", "--reason", "x"),
    ("approve", "RUN", "1.3", "--json"),
)
ENDED = (
    ("approve", "RUN"),
    ("resume", "RUN", "--budget", "0.0001"),
    ("cancel", "RUN"),
    ("show",),
    ("apply", "--json"),
    ("apply",),
    ("apply", "--undo", "--json"),
    ("clean", "--json"),
    ("retry", "RUN", "1.1"),
    ("status", "nope"),
)
UNSTARTED = (
    ("run", "--budget", "5", "--dry-run"),
    ("run", "--budget", "5", "--dry-run", "--json"),
    ("run", "--budget", "5", "--base", "nope"),
    ("run", "--budget", "5", "--only", "9.9"),
    ("run",),
)


class Pair(NamedTuple):
    """The same repository twice, and the same run of each."""

    here: Path
    there: Path
    runs: dict[Path, str]

    def say(self, *words: str, sides: tuple[tuple[str, ...], ...] = ((), ())) -> list[list[str]]:
        """What either says, line by line, without what tells place and time."""
        told: list[list[str]] = []
        for root, more in zip((self.here, self.there), sides, strict=True):
            run = self.runs.get(root, "RUN")
            ended = fanfold(root, *(run if word == "RUN" else word for word in words), *more)
            self.runs.setdefault(root, re.findall(r"\b[0-9a-f]{10}\b", ended.out + run)[0])
            text = f"{ended.code}\n{ended.out}\n--\n{ended.err}"
            text = text.replace(self.runs[root], "RUN").replace(str(root), "ROOT")
            for pattern, name in PLACED:
                text = re.sub(pattern, name, text)
            told.append([line for line in text.splitlines() if "acme-prod" not in line])
        return told


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch, hosted(folder, patch):
        play(patch, folder, *letters())
        here, there = (letters_repository(folder / n / "letters", GATED) for n in ("here", "there"))
        found = Pair(here, there, {})
        told = found.say(*RUN, sides=(("--no-sandbox",), ("--engine", "aws")))
        assert (told[0][0], told[1]) == ("3", told[0])
        yield found


def test_commands_on_a_run_say_the_same_wherever_it_runs(pair: Pair) -> None:
    for words in WAITING:
        here, there = pair.say(*words)
        assert there == here, words
    here, there = pair.say("resume", "RUN", "--json")
    assert (here[0], [line for line in here if line not in there]) == ("0", [])
    for words in ENDED:
        here, there = pair.say(*words)
        assert there == here, words


def test_commands_that_start_nothing_say_the_same(pair: Pair) -> None:
    for words in UNSTARTED:
        here, there = pair.say(*words, sides=((), ("--engine", "aws")))
        assert there == here, words
