"""What a repository is called by everybody who has a clone of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.adapters.git.repository import GitRepository

_HOSTED = re.compile(r"(?:[a-z+]+://(?:[^/@]+@)?[^/]+/|(?:[^/@:]+@)?[^/@:]{2,}:)(?P<path>.+)")


def origin_name(repository: GitRepository) -> str | None:
    """The name of the repository at `origin`; None without one."""
    remotes = repository.objects.remotes
    if "origin" not in remotes.names():
        return None
    return name_of(remotes["origin"].url or "")


def name_of(url: str) -> str | None:
    """`team/tool` for an address with a host; of a folder, which differs by machine, the name."""
    hosted = None if url.startswith("file://") else _HOSTED.fullmatch(url)
    path = (hosted["path"] if hosted else url.rpartition("/")[2]).strip("/")
    return path.removesuffix(".git") or None
