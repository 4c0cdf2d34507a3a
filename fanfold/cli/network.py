"""Whether the hosts that fanfold.toml lets commands reach answer from this machine."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fanfold.bootstrap import registries_of
from fanfold.cli.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.settings import Settings

PATIENCE_S = 3.0


def network_findings(settings: Settings) -> Iterator[Finding]:
    """A line for each registry that is shut to sandboxes, and one for the hosts; none required."""
    hosts, shut = registries_of(settings)
    for name in shut:
        yield Finding(
            "registry",
            False,
            f"the address of {name} that is set here holds a password, which no sandbox is told",
            "set the clients to an address without one",
            required=False,
        )
    if hosts:
        with ThreadPoolExecutor(len(hosts)) as pool:
            silent = [h for h, ok in zip(hosts, pool.map(_answers, hosts), strict=True) if not ok]
        yield Finding(
            "network",
            not silent,
            f"no answer from {', '.join(silent)}" if silent else f"{', '.join(hosts)} answer",
            "check the connection, and [prepare] network and [network] allow in fanfold.toml",
            required=False,
        )


def _answers(host: str) -> bool:
    name, _, port = host.rpartition(":") if ":" in host else (host, "", "443")
    try:
        socket.create_connection((name, int(port)), PATIENCE_S).close()
    except (OSError, ValueError):
        return False
    return True
