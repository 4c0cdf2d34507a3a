"""What a task is by its wording: whose work it is, and what it needs that an agent has not."""

from __future__ import annotations

import re

from fanfold.plan.model import Kind

_READ = 300
_FLAGS = re.IGNORECASE | re.VERBOSE
_GATE = re.compile(
    r"""user\ manual\ verification | manual\ user\ verification | verificación\ manual\ del\ usuario
    | verificação\ manual\ do\ usuário | manuelle\ (?:be|an)?nutzerverifi | vérification\ manuelle
    | ручная\ проверка | 用户手动验证 | ユーザー手動 | 사용자\ 수동
    | ^conductor\s*[-–—:]\s*(?!automated)[\w\s]{0,30}verification
    | (?:human|user|manual|stakeholder)[ -](?:approval|sign-?off)\b | \bapproval\ gate\b""",
    _FLAGS,
)
_AUTOMATED = re.compile(
    r"automated\ verification | verificación\ automática | 自动验证 | 自動検証", _FLAGS
)
_BOOKKEEPING = re.compile(
    r"""(?:mark|set|flag)\s+(?:the\s+|this\s+)?(?:track|all\ tasks|task|phase|plan|issue)s?\b
        .{0,40}\b(?:completed?|done|finished)\b
    | (?:archive|close)\s+(?:the\s+|this\s+)?track\b
    | (?:update|sync)\s+(?:the\s+)?`?(?:tracks\.md|plan\.md|track|plan|metadata\.json|metadata)`?
        (?:\s+(?:status|state|progress|markers?|checkboxes)|\s+(?:and|to|with|as)\b.{0,60}|\s*)$
    | commit\s+(?:(?:the|all|your|these)\s+)?
        (?:changes?|work|plan|phase|checkpoint|everything)\b.{0,30}$""",
    _FLAGS,
)
_CHANGES = re.compile(
    r"""\b(?:fix|write|add|implement|create|update|resolve|refactor|document|repair|address|install
    |configure|change|improve|backfill|generate|manual(?:ly)?)\b""",
    _FLAGS,
)
_ASIDE = re.compile(
    r"""[-–—:,;(]?\s*(?:and\s+)?
    (?:(?:verify|ensure|confirm|check)\b.{0,30}\bpass
    | (?:for|on|in|across|with|to\ (?:verify|ensure|confirm))\b)""",
    _FLAGS,
)
_CHECKPOINT = re.compile(r"(?:final\ )?checkpoint\b", _FLAGS)
_EXPECTED = re.compile(r"\btests?\b.{0,30}\bpass", _FLAGS)
_WORD = re.compile(r"[\w'][\w.+'-]*")
_RUN = re.compile(r"(?:re-?)?run|execute")
_EXPECT = re.compile(r"verify|ensure|confirm|check")
_CHECK = re.compile(
    r"""tests?|suites?|checks?|lint(?:ing|ers?)?|type-?check(?:s|ing)?|analysis|hooks|pytest|clippy
    |build""",
    re.VERBOSE,
)
_QUALIFIER = re.compile(
    r"""the|all|our|full|entire|whole|complete|final|existing|new|automated|unit|integration|e2e
    |end-to-end|regression|contract|frontend|backend|project|quality|standard|local|and|then|again
    |together|that|still|type|static|cargo|npm|pnpm|yarn|pre-commit|playwright|jest|vitest|cypress
    |eslint|ruff|mypy|flutter|dart|go|gradle|maven""",
    re.VERBOSE,
)
_PASSES = re.compile(r"pass(?:es|ing)?|green|succeeds?")
_NEEDS = {
    "github": r"""\b(?:open|create|submit|file|raise|merge|review|close|update)\s+
            (?:(?:an?|the)\s+)?
        (?:draft\s+)?(?:\[?PRs?\b|pull\ requests?\b)
        | \bupstream\ issue\b | \bpush\b.{0,40}\b(?:upstream|remote|origin|github|pr)\b
        | \b(?:github|upstream)\s+(?:issue|discussion|release)s?\b.{0,20}(?:\#\d|discussion|comment)
        | \b(?:create|draft|cut)\s+(?:(?:an?|the)\s+)?github\ release\b""",
    "browser": r"""\b(?:manual|visual)(?:ly)?\b.{0,30}\bbrowsers?\b | \bcross-browser\b
        | \bin\ (?:a|the)\ (?:real\ )?browser\b | \bbrowser\ (?:verification|walk-?through|check)\b
        | \blighthouse\ audit\b""",
    "device": r"""\bon\ (?:(?:an?|the)\ )?
            (?:real|physical|actual|ios|android|apple\ silicon|windows|macos)\b
        | \b(?:ios|android|iphone|ipad)\ (?:device|simulator|emulator)\b
        | \bphysical\ (?:device|hardware)\b | \blaunch\ the\ (?:game|app)\b
        | \bmanual(?:ly)?\ (?:test|verif|play)""",
    "deploy": r"""^deploy\b | \bdeploy(?:ing|ment)?\s+(?:\w+\s+){0,4}?(?:to|on|in)\s+(?:the\s+)?
            (?:prod|staging|aws|gcp|azure|kubernetes|vercel|netlify|heroku|fly|cloud|server
            |testflight|app\ store)
        | \bpublish(?:ing)?\s+(?:\S+\s+){0,4}?(?:to|on)\s+(?:the\s+)?
            (?:npm|pypi|crates\.io|marketplace|docker)""",
}
_NEEDED = {name: re.compile(words, _FLAGS) for name, words in _NEEDS.items()}


def kind(title: str, details: str = "") -> Kind:
    """Whose work a task is; what is only partly checking stays work, lest it is never done."""
    title = title[:_READ]
    if _AUTOMATED.search(title):
        return Kind.CHECK
    if _GATE.search(title):
        return Kind.GATE
    if _BOOKKEEPING.match(title) and not details.strip():
        return Kind.BOOKKEEPING
    if _CHECKPOINT.match(title) and _EXPECTED.search(details):
        return Kind.CHECK
    changes = _CHANGES.search(title) or _CHANGES.search(details)
    return Kind.CHECK if not changes and _only_checks(title) else Kind.WORK


def _only_checks(title: str) -> bool:
    """Does the title say to run the checks, or that they pass, and nothing else?"""
    if title.endswith(")"):
        title = title[: title.rfind("(")]
    found = list(_WORD.finditer(title))
    words = [match[0].lower() for match in found]
    if not words or not (_RUN.fullmatch(words[0]) or _EXPECT.fullmatch(words[0])):
        return False
    end = 1
    while end < len(words) and (_CHECK.fullmatch(words[end]) or _QUALIFIER.fullmatch(words[end])):
        end += 1
    if not any(map(_CHECK.fullmatch, words[1:end])):
        return False
    if _EXPECT.fullmatch(words[0]):
        return end < len(words) and _PASSES.fullmatch(words[end]) is not None
    rest = title[found[end - 1].end() :].strip(" .`")
    return not rest or _ASIDE.match(rest) is not None


def needs_of(title: str) -> tuple[str, ...]:
    """What a task wants that an agent has not: `github`, `browser`, `device`, `deploy`."""
    return tuple(name for name, words in _NEEDED.items() if words.search(title[:_READ]))
