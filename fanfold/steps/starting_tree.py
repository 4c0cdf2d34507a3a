"""The tree an attempt starts from: the run's tree, or an earlier patch carried over onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import InvalidPatch
from fanfold.patch import merge as engine
from fanfold.patch.model import Patch
from fanfold.patch.read import read_patch

if TYPE_CHECKING:
    from collections.abc import Collection

    from fanfold.ports import Repository


def carried_over(
    repository: Repository,
    base_tree: str,
    patch: bytes,
    patch_base: str,
    leave_out: Collection[str] = (),
) -> str | None:
    """`base_tree` with an earlier `patch` of `patch_base` in it, but for the paths in `leave_out`.

    None where the rest of the patch does not fit either, or is no patch: then start afresh.
    """
    try:
        read = read_patch(patch)
        kept = tuple(c for c in read.changes if not set(c.paths) & set(leave_out))
        incoming = engine.Incoming("earlier", Patch(kept), patch_base)
        result = engine.merge(repository.objects, base_tree, [incoming], structured=True)
    except InvalidPatch:
        return None
    if isinstance(result.outcomes[0], engine.Conflicted):
        return None
    pack = result.pack()
    if pack.count:
        repository.store_pack(pack.name, pack.data, pack.index)
    return result.tree
