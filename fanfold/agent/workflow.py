"""A project's workflow.md for an agent that neither commits, nor ticks the plan, nor asks."""

from __future__ import annotations

import re

LEFT_OUT = (
    "(Steps that fanfold does itself are left out: commits, notes, marks in the plan, questions.)"
)
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_SECTIONS = re.compile(
    r"checkpoint|commit (?:guideline|message|convention|format)|git notes?\b|emergency|deploy"
    r"|continuous improvement|manual verification|pull request|branching|track completion",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"\bgit (?:commit|add|push|notes?|log|diff|tag|checkout|stash)\b|\bcommit(?:s|ted|ting)?\b"
    r"|\bgit note|\b(?:plan|tracks|metadata|spec)\.(?:md|json)\b|\bcheckpoint"
    r"|\b(?:ask|inform|tell|prompt|notify|announce)\b.{0,30}\busers?\b"
    r"|\buser(?:'s)? (?:feedback|confirm|approval|response)|\bawait\b|\bselect task\b"
    r"|\bmark in progress\b|\bpush\b.{0,20}\bbranch"
    r"|/conductor:|\bAI AGENT INSTRUCTION\b|\barchive track\b|\bnext (?:sequential )?track\b",
    re.IGNORECASE,
)


def translate(text: str) -> str:
    """What stays of a workflow: test-first, coverage, style, commands. Dropped steps go wholly."""
    kept = _without_empty_sections(_without_steps(_without_sections(text.splitlines())))
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return f"{LEFT_OUT}\n\n{body}\n" if body else ""


def _without_sections(lines: list[str]) -> list[str]:
    kept: list[str] = []
    dropped = 0
    fenced = False
    for line in lines:
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading and not (dropped and len(heading[1]) > dropped):
            dropped = len(heading[1]) if _SECTIONS.search(heading[2]) else 0
        if not dropped:
            kept.append(line)
    return kept


def _without_steps(lines: list[str]) -> list[str]:
    """Drops lines that speak of such steps, list items with all that hangs on them."""
    kept: list[str] = []
    below: int | None = None
    fenced = False
    for line in lines:
        fence = bool(_FENCE.match(line))
        inside = fenced or fence
        fenced ^= fence
        indent = len(line) - len(line.lstrip())
        if below is not None and (not line.strip() or indent > below):
            continue
        below = None
        if inside or _HEADING.match(line) or not _STEPS.search(line):
            kept.append(line)
        elif _ITEM.match(line):
            below = indent
    return kept


def _without_empty_sections(lines: list[str]) -> list[str]:
    kept: list[str] = []
    next_level = 0
    filled = False
    fenced = False
    for line in reversed(lines):
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            filled = filled or bool(line.strip())
            kept.append(line)
        elif filled or next_level > len(heading[1]):
            kept.append(line)
            next_level, filled = len(heading[1]), False
    return kept[::-1]
