"""Fitting texts into a budget of characters: the important first, what is cut is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.tools.spill import elide

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST = 300


class Section(msgspec.Struct, frozen=True):
    """A named text; lower `rank` is kept first, `most` is what it may take in characters."""

    name: str
    text: str
    rank: int
    most: int = 1_000_000
    tag: str = "data"

    def rendered(self, text: str) -> str:
        """Between tags that the text itself cannot close."""
        safe = text.replace(f"</{self.tag}", f"<\\/{self.tag}")
        name = self.name.replace('"', "'").replace("\n", " ")
        return f'<{self.tag} name="{name}">\n{safe.strip()}\n</{self.tag}>'


def fit(sections: Sequence[Section], budget: int) -> tuple[list[str], list[str]]:
    """The sections rendered in their order within `budget` characters, and what was cut."""
    kept: dict[int, str] = {}
    cuts: list[str] = []
    for index, section in sorted(enumerate(sections), key=lambda pair: (pair[1].rank, pair[0])):
        if not section.text.strip():
            continue
        room = min(section.most, budget)
        size = len(section.text)
        if size > room and room < LEAST:
            cuts.append(f"{section.name}: left out ({size} characters)")
            continue
        if size > room:
            cuts.append(f"{section.name}: {room} of {size} characters")
        kept[index] = section.rendered(elide(section.text, room * 3 // 4, room - room * 3 // 4))
        budget -= min(size, room)
    return [kept[index] for index in sorted(kept)], cuts
