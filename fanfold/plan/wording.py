"""What sort of work a title plainly asks for: tests only, research, documentation."""

from __future__ import annotations

import re

_READ = 300
_FLAGS = re.IGNORECASE | re.VERBOSE
_TESTS = re.compile(
    r"""(?:\W*red\W*[-–—:]+\s*)?(?:write|add|create|backfill|draft|author|build)\s+
        (?:(?:the|a|an|new)\s+)*(?:[\w/`'.-]+\s+){0,4}?
        tests?\b(?!\s+(?:data|fixtures?|environment|plan|harness|strategy))
    | (?:unit|integration|contract|e2e|end-to-end|property|regression|snapshot)\s+
        tests?\s+(?:for|of|in)\b""",
    _FLAGS,
)
_DOCS = re.compile(
    r"""(?:update|write|add|create|draft|revise|expand|improve)\s+
        (?:(?:the|a|main|project|user)\s+)*
        `?(?:documentation\b(?!\s+(?:valid|script|hook|lint|gener|tool))|docs\b|readme\b
            |changelog|user\ guide|contributing\.md)
    | document\s""",
    _FLAGS,
)
_RESEARCH = re.compile(
    r"""(?:research|investigate|analy[sz]e|study|explore|audit|survey|inventory|identify|compare
    |evaluate)\b""",
    _FLAGS,
)
_REVIEW = re.compile(
    r"""(?:final\ |self-?|peer\ |team\ )?(?:code\ )?review
    | (?:perform|conduct|do)\ (?:an?\ |the\ )?(?:final\ |self-?)?(?:code\ )?review
    | review\ (?:the\ |all\ )?(?:code|changes|implementation)""",
    _FLAGS,
)
_CODE_STEP = re.compile(r"\b(?:implement|refactor|integrate|fix)\b", _FLAGS)
_CODE_TOO = re.compile(r"\b(?:implement|fix|and\ (?:add|create|update|refactor))\b", _FLAGS)


def writes_only_tests(title: str) -> bool:
    """Does the task write tests and nothing that they test?"""
    title = title[:_READ]
    return _TESTS.match(title) is not None and not _CODE_TOO.search(title)


def is_research(title: str) -> bool:
    """Does the task only find something out?"""
    title = title[:_READ]
    return _RESEARCH.match(title) is not None and not _CODE_TOO.search(title)


def is_documentation(title: str) -> bool:
    """Does the task write documentation?"""
    return _DOCS.match(title[:_READ]) is not None


def role(title: str, details: str = "") -> str:
    """The role whose work the wording plainly is; `implementer` for all else."""
    if _CODE_STEP.search(details):
        return "implementer"
    if writes_only_tests(title):
        return "tester"
    if is_documentation(title):
        return "docs"
    if _REVIEW.fullmatch(title[:_READ].strip(" .")):
        return "reviewer"
    return "researcher" if is_research(title) else "implementer"
