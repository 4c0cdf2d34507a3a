"""Rules for blocks whose order says little: both sides' lines are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fanfold.patch.rules import edits

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.chunks import Clash, Lines

MAX_LINES, MAX_REWRITTEN = 300, 10
IMPORT = re.compile(
    rb"\s*(?:import\s|from\s+\S+\s+import\s|#\s*include\s|using\s|use\s|require\b|export\s.*\sfrom\s"
    rb"|(?:const|let|var)\s.*=\s*require\(|@import\s)"
)
NAMES = (
    re.compile(rb"(\s*from\s+\S+\s+import\s+)([\w\s,.]+?)(\s*)"),
    re.compile(
        rb"(\s*import\s*(?:type\s*)?\{\s*)([\w\s,$]+?)(,?\s*\}\s*from\s*['\"][^'\"]+['\"];?\s*)"
    ),
)
ITEM = re.compile(rb"\s*[-*+]\s+\S")
ELEMENT = re.compile(rb"\s*(?:\"[^\"\n]*\"|'[^'\n]*'|[\w.-]+)\s*,\s*$")
OPENS_LIST = re.compile(rb"(?:\[|\{|\bimport\s*\()\s*$")
BULLET = re.compile(rb"[-*+] ")
CHANGELOG = re.compile(
    r"(?:^|/)(?:change(?:s|log)|history|news|release[-_ ]?notes)[^/]*$", re.IGNORECASE
)
DEFINITION = re.compile(
    rb"([ \t]*)(?:@\w|(?:async\s+)?def\s|class\s|(?:it|test|describe)\("
    rb"|(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b"
    rb"|(?:export\s+)?(?:interface|const enum|type)\s+\w"
    rb"|(?:pub(?:\([^)]*\))?\s+)?(?:fn|struct|enum|trait|impl|mod)\s"
    rb"|func\s|type\s+\w+\s+(?:struct|interface))"
)


def imports(clash: Clash, path: str) -> Lines | None:
    """All lines are imports: both sides' additions are kept, both sides' removals hold."""
    lines = [*clash.base, *clash.ours, *clash.theirs]
    if path.endswith((".md", ".rst", ".txt")) or not all(map(_is_import, lines)):
        return None
    return _united(clash, _is_import, same_line=_names_united)


def entries(clash: Clash, path: str) -> Lines | None:
    """All lines are entries of a list, or of a changelog: both sides' additions are kept."""
    if CHANGELOG.search(path):
        return _told_twice(clash)
    lines = [*clash.base, *clash.ours, *clash.theirs]
    if all(map(ITEM.match, lines)):
        return _united(clash, lambda line: ITEM.match(line) is not None)
    if all(map(ELEMENT.match, lines)) and _is_in_list(clash.before):
        return _united(clash, lambda line: ELEMENT.match(line) is not None)
    return None


def _is_in_list(before: Lines) -> bool:
    """Whether the lines stand in a list, set, table or import, not among a call's arguments."""
    opening = next((line for line in reversed(before) if not ELEMENT.match(line)), b"")
    return OPENS_LIST.search(opening) is not None


def _told_twice(clash: Clash) -> Lines | None:
    """Both sides only added to a changelog: at each place ours, then theirs, no entry twice."""
    sides = [edits(clash.base, side) for side in (clash.ours, clash.theirs)]
    if any(start != end for side in sides for start, end, _ in side):
        return None
    ours, theirs = ({start: new for start, _, new in side} for side in sides)
    out: Lines = []
    for at in range(len(clash.base) + 1):
        mine = _paragraphs(ours.get(at, []))
        for paragraph in (*mine, *(p for p in _paragraphs(theirs.get(at, [])) if p not in mine)):
            out += paragraph
        out += clash.base[at : at + 1]
    return out


def _paragraphs(lines: Lines) -> list[Lines]:
    """Entries with the blank lines that follow them: each begins at a bullet or after a blank."""
    found: list[Lines] = []
    for at, line in enumerate(lines):
        after_blank = at > 0 and not lines[at - 1].strip() and bool(line.strip())
        if not found or after_blank or BULLET.match(line):
            found.append([])
        found[-1].append(line)
    return found


def definitions(clash: Clash, _path: str) -> Lines | None:
    """Both sides added definitions of the same depth at the same place: ours, then theirs."""
    if any(line.strip() for line in clash.base):
        return None
    first = [_first_definition(side) for side in (clash.ours, clash.theirs)]
    if None in first or first[0] != first[1]:
        return None
    ours, theirs = _trimmed(clash.ours), _trimmed(clash.theirs)
    gap = max(_blanks_at_start(clash.ours), _blanks_at_start(clash.theirs))
    tail = max(_blanks_at_start(clash.ours[::-1]), _blanks_at_start(clash.theirs[::-1]))
    between = [b"\n"] * max(gap, tail)
    return [*[b"\n"] * gap, *ours, *between, *theirs, *[b"\n"] * tail]


def _first_definition(lines: Lines) -> bytes | None:
    """The indentation of the first line that is not blank, if it begins a definition."""
    first = next((line for line in lines if line.strip()), b"")
    match = DEFINITION.match(first)
    return match[1] if match else None


def _trimmed(lines: Lines) -> Lines:
    start, end = _blanks_at_start(lines), len(lines) - _blanks_at_start(lines[::-1])
    return lines[start:end]


def _blanks_at_start(lines: Lines) -> int:
    return next((at for at, line in enumerate(lines) if line.strip()), len(lines))


def _is_import(line: bytes) -> bool:
    return not line.strip() or IMPORT.match(line) is not None


def _united(
    clash: Clash,
    belongs: Callable[[bytes], bool],
    same_line: Callable[[bytes, bytes, bytes], bytes | None] | None = None,
) -> Lines | None:
    """Ours, without what theirs removed, with what theirs added; sorted where the block is."""
    base, ours, theirs = clash.base, list(clash.ours), list(clash.theirs)
    kept = {*ours, *theirs}
    rewritten = [line for line in base if line.strip() and line not in kept]
    if max(map(len, (base, ours, theirs))) > MAX_LINES or len(rewritten) > MAX_REWRITTEN:
        return None
    for line in rewritten:
        pair = same_line and _changed_by_both(line, clash, same_line)
        if not pair:
            return None
        ours = [pair[1] if one == pair[0][0] else one for one in ours]
        theirs = [pair[1] if one == pair[0][1] else one for one in theirs]
    removed = [line for line in base if line not in theirs]
    out = [line for line in ours if line not in removed or not line.strip()]
    added = [line for line in theirs if line not in base and line not in out]
    if _is_sorted(clash, belongs):
        return sorted((*out, *added), key=_sort_key)
    return _placed(out, added, theirs)


def _placed(out: Lines, added: Lines, theirs: Lines) -> Lines:
    """Each added line after what precedes it in theirs, and after what ours put there too."""
    for line in added:
        at = theirs.index(line)
        before = set(theirs[:at])
        start = max((place + 1 for place, one in enumerate(out) if one in before), default=0)
        follower = next((one for one in theirs[at + 1 :] if one in out[start:]), None)
        out.insert(len(out) if follower is None else out.index(follower, start), line)
    return out


def _is_sorted(clash: Clash, belongs: Callable[[bytes], bool]) -> bool:
    before = _run(clash.before[::-1], belongs)[::-1]
    after = _run(clash.after, belongs)
    blocks = [[*before, *side, *after] for side in (clash.ours, clash.theirs)]
    return all(
        all(line.strip() for line in block)
        and len(block) > 1
        and block == sorted(block, key=_sort_key)
        for block in blocks
    )


def _run(lines: Lines, belongs: Callable[[bytes], bool]) -> Lines:
    end = next(
        (at for at, line in enumerate(lines) if not line.strip() or not belongs(line)), len(lines)
    )
    return lines[:end]


def _sort_key(line: bytes) -> bytes:
    return line.strip().rstrip(b",;").lower()


def _changed_by_both(
    line: bytes, clash: Clash, same_line: Callable[[bytes, bytes, bytes], bytes | None]
) -> tuple[tuple[bytes, bytes], bytes] | None:
    """The two lines that `line` became, and the one that stands for both."""
    for ours in clash.ours:
        for theirs in clash.theirs:
            if ours not in clash.base and theirs not in clash.base:
                united = same_line(line, ours, theirs)
                if united is not None:
                    return (ours, theirs), united
    return None


def _names_united(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """One import of one module whose names both sides changed."""
    for pattern in NAMES:
        matches = [pattern.fullmatch(line) for line in (base, ours, theirs)]
        if None in matches:
            continue
        found = [match for match in matches if match is not None]
        heads = {b" ".join(match[1].split()) for match in found}
        tails = {b" ".join(match[3].split()) for match in found}
        if len(heads) > 1 or len(tails) > 1:
            return None
        was, mine, other = ([n.strip() for n in match[2].split(b",")] for match in found)
        names = [name for name in mine if name in other or name not in was]
        names += [name for name in other if name not in names and name not in was]
        if was == sorted(was, key=bytes.lower):
            names.sort(key=bytes.lower)
        return found[1][1] + b", ".join(names) + found[1][3]
    return None
