"""`fanfold merge`: the merge engine alone, for patches made by anyone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.bootstrap import checks_of, secret_scanner
from fanfold.cli.output import say, say_json, table
from fanfold.errors import InvalidRepository, UserError
from fanfold.steps.fold import Given, fold_patches

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.steps.fold import Fold

STDIN = "-"
EXAMPLES = """\
examples:
  fanfold merge --repo . --base main patches/*.patch
  fanfold merge --repo shop.git --base v1.2 --structured --check "make test" a.diff b.diff
  git diff main..topic --full-index --binary | fanfold merge --repo . --base main --onto merged -

Every patch ends applied, conflicted or rejected. The tree is written to the repository as objects;
its work tree and index are not looked at. Exit code 0 when all were applied, 1 when not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("patch", nargs="+", metavar="PATCH", help="a git patch; - is stdin")
    parser.add_argument("--repo", required=True, metavar="DIR", help="a repository, may be bare")
    parser.add_argument("--base", required=True, metavar="REV", help="what the patches start from")
    parser.add_argument(
        "--structured", action="store_true", help="settle by rule what lines alone cannot"
    )
    parser.add_argument("--check", action="append", default=[], metavar="CMD", help="must exit 0")
    parser.add_argument("--onto", metavar="BRANCH", help="write one commit a patch to this branch")
    parser.add_argument("--no-sandbox", action="store_true", help="run the checks uncontained")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from fanfold.adapters.git.repository import open_repository

    start = Path(args.directory or ".")
    repository = open_repository(start / args.repo, bare=True)
    base = repository.commit_of(args.base)
    if args.onto:
        _check_branch(repository, args.onto, base)
    given = [_read(start, name) for name in args.patch]
    folded = fold_patches(
        repository,
        repository.tree_of(base),
        given,
        structured=args.structured,
        secrets=secret_scanner(),
        commands=args.check,
        checks=checks_of(repository, sandbox=not args.no_sandbox) if args.check else None,
    )
    if args.onto:
        _commit(repository, args.onto, base, folded)
    view = _view(base, folded)
    if args.json:
        say_json(view)
    else:
        say(_describe(view, args.onto))
    return 0 if all(row.state == "applied" for row in folded.rows) else 1


def _read(start: Path, name: str) -> Given:
    if name == STDIN:
        return Given(name, sys.stdin.buffer.read())
    try:
        return Given(name, (start / name).read_bytes())
    except OSError as error:
        raise UserError(f"{name}: {error.strerror}") from None


def _check_branch(repository: GitRepository, branch: str, base: str) -> None:
    """A branch that is new, or stands at the base and is not checked out."""
    name = f"refs/heads/{branch}"
    if not repository.is_ref_name(name):
        raise UserError(f"{branch!r} cannot be the name of a branch")
    tip = repository.ref(name)
    if tip is not None and tip != base:
        raise InvalidRepository(f"branch {branch!r} is at {tip[:7]}, not at the base {base[:7]}")
    if tip is not None and not repository.is_bare and repository.head().branch == branch:
        raise InvalidRepository(f"branch {branch!r} is checked out; name another, or a new one")


def _commit(repository: GitRepository, branch: str, base: str, folded: Fold) -> None:
    tip, when = base, repository.time_of(base)
    for row in folded.rows:
        if row.tree is not None:
            message = f"Apply {Path(row.name).name}\n\nFanfold-Patch: {row.name}\n"
            tip = repository.commit(row.tree, tip, message, when, repository.author())
    repository.set_ref(f"refs/heads/{branch}", tip)


def _view(base: str, folded: Fold) -> dict[str, Any]:
    return {
        "schema": "fanfold.merge/1",
        "base": base,
        "tree": folded.tree,
        "patches": [
            {
                "patch": row.name,
                "state": row.state,
                "paths": list(row.paths),
                "reason": row.reason,
                "resolved_by": row.resolved_by,
            }
            for row in folded.rows
        ],
        "checks": [{"command": command, "ok": ok} for command, ok in folded.checks],
        "blamed": list(folded.blamed),
    }


def _describe(view: dict[str, Any], branch: str | None) -> str:
    rows: Sequence[tuple[str, ...]] = [
        (p["state"], p["reason"] or p["resolved_by"] or "", p["patch"], _some(p["paths"]))
        for p in view["patches"]
    ]
    lines = [table(("state", "how", "patch", "paths"), rows), f"tree {view['tree']}"]
    lines += [f"{'green' if c['ok'] else 'red'}: {c['command']}" for c in view["checks"]]
    lines += [f"branch {branch}"] if branch else []
    return "\n".join(lines)


def _some(paths: Sequence[str], most: int = 3) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
