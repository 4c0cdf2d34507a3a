"""The headings that are open at a line: which phase it is in, and whether boxes are conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fanfold.plan import labels, marks
from fanfold.plan.draft import PhaseDraft, PlanDraft
from fanfold.plan.model import Box, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.plan.notes import Note
    from fanfold.plan.scanner import Line

    PhaseReader = Callable[[str, int], labels.PhaseLabel | None]


@dataclass(slots=True)
class _Section:
    """An open heading; `number` is None unless a label makes it a phase."""

    level: int
    text: str
    line: int
    heading: Span
    name: str
    number: str | None
    conditions: bool
    box: Box | None
    phase: PhaseDraft | None = None
    notes: list[Note] = field(default_factory=list["Note"])


class Outline:
    """Keeps the open headings, and makes phases of those that hold tasks or are labelled so."""

    def __init__(self, draft: PlanDraft, label: PhaseReader) -> None:
        self._draft, self._label = draft, label
        self._sections: list[_Section] = []
        self._implicit: PhaseDraft | None = None
        self._bold_conditions: bool | None = None

    def close(self, level: int) -> None:
        """Close the headings of `level` and below, as the next heading does."""
        self._bold_conditions = None
        self._sections = [section for section in self._sections if section.level < level]

    def open(self, line: Line, heading: marks.Heading, text: str) -> None:
        """Open the heading that `line` is."""
        label = self._label(text, heading.level)
        section = _Section(
            heading.level,
            text,
            line.number,
            Span(line.start, line.end),
            label.name if label else labels.plain(text),
            label.number if label else None,
            label is None and labels.names_conditions(text),
            Box(line.at(heading.item.mark), heading.item.state) if heading.item else None,
        )
        if heading.level == 1 and not self._draft.title:
            self._draft.title = labels.plain(text)
        self._sections.append(section)
        if label:
            self._phase_of(section)

    def bold(self, text: str) -> None:
        """Take a line such as `**Verification:**` for the heading that it stands for."""
        name = text[2:].split("**", 1)[0]
        if labels.names_conditions(name):
            self._bold_conditions = True
        elif labels.names_work(name):
            self._bold_conditions = False

    @property
    def in_conditions(self) -> bool:
        """Are checkboxes here conditions rather than work?"""
        if self._bold_conditions is not None:
            return self._bold_conditions
        for section in reversed(self._sections):
            if section.number is not None:
                return False
            if section.conditions:
                return True
        return False

    def phase(self) -> PhaseDraft:
        """The phase that a task here belongs to; an unnamed one before any heading."""
        section = self._phase_section()
        if section:
            return self._phase_of(section)
        if self._implicit is None:
            self._implicit = PhaseDraft("", "", 1, None)
            self._draft.phases.append(self._implicit)
        return self._implicit

    def add_condition(self, text: str) -> None:
        """Record a condition with its phase, or with the plan where no phase has begun."""
        section = self._phase_section()
        phase = section.phase if section else None
        (phase.conditions if phase else self._draft.conditions).append(labels.plain(text))

    def add_note(self, note: Note) -> None:
        """Record what the plan states of the phase at hand."""
        section = self._phase_section()
        (section.notes if section else self.phase().notes).append(note)

    def _phase_section(self) -> _Section | None:
        """The innermost heading that is labelled as a phase, else the outermost below the title."""
        labelled = [section for section in self._sections if section.number is not None]
        if labelled:
            return labelled[-1]
        below = [section for section in self._sections if section.level > 1]
        if below:
            return below[0]
        later = [section for section in self._sections if section.name != self._draft.title]
        return later[0] if later else None

    def _phase_of(self, section: _Section) -> PhaseDraft:
        if section.phase is None:
            checkpoint = marks.checkpoint(section.text)
            section.phase = PhaseDraft(
                section.number or "",
                section.name,
                section.line,
                section.heading,
                checkpoint[1] if checkpoint else None,
                section.notes,
                box=section.box,
            )
            self._draft.phases.append(section.phase)
        return section.phase
