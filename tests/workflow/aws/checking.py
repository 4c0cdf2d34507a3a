"""The check function of an account in memory: objects without HTTP, commands without a sandbox."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec

from fanfold.adapters.git.packed import packed_repository
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.layer_archive import unpack
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.settings import environment
from fanfold.steps.check import Order, check
from tests.kit.account import BUCKET, shared_clients

if TYPE_CHECKING:
    from tests.kit.step_functions import Function, Invocation


class SignedObjects:
    """`steps.check.Web` over the account itself."""

    def fetch(self, url: str, place: Path) -> None:
        found = shared_clients().s3.get_object(Bucket=BUCKET, Key=_key(url))
        place.write_bytes(found["Body"].read())

    def put(self, url: str, data: bytes) -> None:
        shared_clients().s3.put_object(Bucket=BUCKET, Key=_key(url), Body=data)


def _key(url: str) -> str:
    assert "X-Amz-Signature" in url
    return unquote(urlsplit(url).path).lstrip("/").removeprefix(f"{BUCKET}/")


def check_function(home: Path) -> Function:
    """What `functions/check.py` does, with all that it leaves below `home`."""
    web = SignedObjects()

    def function(event: Any, context: Invocation) -> Any:
        with tempfile.TemporaryDirectory(dir=home) as name:
            folder = Path(name)

            def bench(order: Order) -> GitWorkspaces:
                packs: list[tuple[Path, Path]] = []
                for number, (pack, index) in enumerate(order.packs):
                    places = folder / f"{number}.pack", folder / f"{number}.idx"
                    for url, place in zip((pack, index), places, strict=True):
                        web.fetch(url, place)
                    packs.append(places)
                repository = packed_repository(folder / "objects.git", packs)
                sandbox = NoSandbox(environment())
                return GitWorkspaces(repository, folder / "trees", sandbox, furnish=furnish)

            def furnish(_: str, root: Path) -> list[str]:
                if order.layer is None:
                    return []
                web.fetch(order.layer[0], folder / "layer")
                return unpack(folder / "layer", root, order.layer[1])

            left_s = context.get_remaining_time_in_millis() / 1000
            order = msgspec.convert(event, Order)
            return msgspec.to_builtins(check(order, web, bench, SystemClock(), left_s))

    return function
