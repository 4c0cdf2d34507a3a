"""Wiring of the check function, which knows no service and no secret: packs, a sandbox, a clock."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.git.packed import packed_repository
from fanfold.adapters.git.workspaces import CHECKOUT, GitWorkspaces
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.layer_archive import unpack
from fanfold.adapters.local.sandbox import harden_process
from fanfold.adapters.local.sandbox_alone import Alone
from fanfold.adapters.local.sandbox_uid import SecondUser
from fanfold.adapters.local.web import SignedWeb
from fanfold.settings import environment
from fanfold.steps.check import Done, Order, check

if TYPE_CHECKING:
    from fanfold.ports import Sandbox


def carry_out(order: Order, left_s: float, home: Path | None = None) -> Done:
    """Check as ordered, below the empty folder `home`, and leave nothing behind.

    Raises `CloudUnavailable`, `CloudError` or `ArtifactCorrupt`.
    """
    harden_process()
    web = SignedWeb()
    with tempfile.TemporaryDirectory(prefix="fanfold-check-", dir=home) as name:
        folder = Path(name)
        folder.chmod(0o711)

        def fetched(number: int, url: str, suffix: str) -> Path:
            place = folder / f"{number}.{suffix}"
            web.fetch(url, place)
            return place

        def furnished(order: Order, root: Path) -> list[str]:
            if order.layer is None:
                return []
            place = folder / "layer"
            web.fetch(order.layer[0], place)
            return unpack(place, root, order.layer[1])

        def bench(order: Order) -> GitWorkspaces:
            packs = [
                (fetched(number, pack, "pack"), fetched(number, index, "idx"))
                for number, (pack, index) in enumerate(order.packs)
            ]
            repository = packed_repository(folder / "objects.git", packs)
            return GitWorkspaces(
                repository,
                folder / "trees",
                sandbox(folder),
                furnish=lambda _, root: furnished(order, root),
                at=(home or Path(tempfile.gettempdir())) / CHECKOUT,
            )

        return check(order, web, bench, SystemClock(), left_s)


def sandbox(folder: Path) -> Sandbox:
    """Another user for commands where there can be one; else the place must be one by itself."""
    second = SecondUser(environment(), folder, online=True)
    return second if second.available() is None else Alone(environment())
