"""What the tasks of a plan will probably write in this repository, for `--parallel infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.bootstrap import open_project
from fanfold.errors import InvalidRepository
from fanfold.plan.co_change import partners
from fanfold.plan.predict import Knowledge, predict

if TYPE_CHECKING:
    import argparse

    from fanfold.plan.model import Plan, Predicted


def predictions(plan: Plan, args: argparse.Namespace) -> dict[str, tuple[Predicted, ...]]:
    """By task; nothing unless it was asked for. Without a repository only the words tell."""
    if args.parallel != "infer":
        return {}
    try:
        project = open_project(Path(args.directory or "."))
    except InvalidRepository:
        return predict(plan, Knowledge())
    repository = project.repository
    commit = repository.commit_of(getattr(args, "base", None) or "HEAD")
    files = tuple(repository.files(repository.tree_of(commit)))
    together = partners(repository.changed_paths(commit), files)
    return predict(plan, Knowledge(files, together))
