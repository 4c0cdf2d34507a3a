"""Files that steer git, CI or hooks: a patch may touch them only where its task says so by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.patch.globs import literal_prefix, matches
from fanfold.patch.names import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

ANYWHERE = frozenset((".gitattributes", ".gitmodules"))
DIRECTORIES = (
    ".github/workflows",
    ".github/actions",
    ".gitea/workflows",
    ".forgejo/workflows",
    ".gitlab/ci",
    ".circleci",
    ".buildkite",
    ".woodpecker",
    ".semaphore",
    ".teamcity",
    ".tekton",
    ".azure-pipelines",
    ".husky",
    ".githooks",
    ".git-hooks",
    ".lefthook",
    ".claude/hooks",
)
FILES = frozenset(
    (
        ".gitlab-ci.yml",
        ".gitlab-ci.yaml",
        ".travis.yml",
        ".drone.yml",
        ".cirrus.yml",
        ".appveyor.yml",
        "appveyor.yml",
        ".woodpecker.yml",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "buildspec.yml",
        "cloudbuild.yaml",
        "jenkinsfile",
        ".pre-commit-config.yaml",
        ".pre-commit-hooks.yaml",
        ".overcommit.yml",
        "lefthook.yml",
        ".lefthook.yml",
        ".claude/settings.json",
        ".claude/settings.local.json",
    )
)


def protecting(path: str) -> str | None:
    """The part of `path` that makes it protected, as the path spells it; None: it is not."""
    names = path.split("/")
    seen = [plain(name) for name in names]
    if seen[-1] in ANYWHERE or "/".join(seen) in FILES:
        return path
    for directory in DIRECTORIES:
        depth = directory.count("/") + 1
        if len(seen) >= depth and "/".join(seen[:depth]) == directory:
            return "/".join(names[:depth])
    return None


def is_named(path: str, anchor: str, writes: Iterable[str]) -> bool:
    """Whether a write set names the protected part itself, not just by a wildcard."""
    return any(
        matches(pattern, path) and literal_prefix(pattern).startswith(anchor) for pattern in writes
    )
