"""Folders that commands have worked in, and what it takes to be rid of them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def temporary_folder(prefix: str) -> Generator[Path]:
    """An empty folder of one's own, gone afterwards whatever was done in it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Delete a folder with all in it, also where commands took away the right to or dug deep."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _dismantle(folder)


def _dismantle(folder: Path) -> None:
    """What lies deeper moves up, so that no path grows too long to be named."""
    folder.chmod(0o700)
    waiting = [folder]
    for place in waiting:
        with os.scandir(place) as found:
            items = list(found)
        for item in items:
            if item.is_dir(follow_symlinks=False):
                up = folder / f"gone-{secrets.token_hex(8)}"
                Path(item.path).chmod(0o700)
                waiting.append(Path(item.path).rename(up))
            else:
                Path(item.path).unlink()
    for place in reversed(waiting):
        place.rmdir()
