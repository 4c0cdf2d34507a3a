"""A repository that is made of packs alone, for who has nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pygit2

from fanfold.adapters.git.repository import GitRepository
from fanfold.errors import ArtifactCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def packed_repository(folder: Path, packs: Iterable[tuple[Path, Path]]) -> GitRepository:
    """A bare repository at `folder` with these packs, each with its index.

    Raises `ArtifactCorrupt` unless every pack is whole and the index its own.
    """
    pygit2.init_repository(str(folder), bare=True)
    repository = GitRepository(folder)
    for pack, index in packs:
        data, listed = pack.read_bytes(), index.read_bytes()
        checksum = hashlib.sha1(data[:-20], usedforsecurity=False).digest()
        if not data[-20:] == listed[-40:-20] == checksum:
            raise ArtifactCorrupt(f"{pack.name!r} is no whole pack with its index")
        repository.store_pack(f"pack-{checksum.hex()}", data, listed)
    return repository
