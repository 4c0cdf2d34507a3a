"""Hosts that commands of a run were kept from, and the line that would allow each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run.incidents import hosts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.run.state import RunState

WEB_PORTS = ("80", "443")


def denied_hosts(state: RunState) -> list[dict[str, Any]]:
    """Each host once, with the attempts (or `checks`) that asked for it and the line to write."""
    found: dict[str, list[str]] = {}
    for host, by in _denials(state):
        names = found.setdefault(plain(host), [])
        if by not in names:
            names.append(by)
    return [{"host": h, "by": by, "allow": allowing(h)} for h, by in sorted(found.items())]


def allowing(host: str, table: str = "network", key: str = "allow") -> str:
    """The line of `fanfold.toml` that lets commands reach `host`."""
    return f'[{table}] {key} = ["{host}"]'


def _denials(state: RunState) -> Iterator[tuple[str, str]]:
    for unit in state.units.values():
        for tried in unit.tries:
            yield from ((host, tried.attempt) for host in tried.denied_hosts)
    for result in (*state.results, *(state.baseline or ())):
        yield from ((host, "checks") for host in hosts(result.incidents))


def plain(host: str) -> str:
    """As an allow-list names it: the ports of the web go without saying."""
    name, _, port = host.rpartition(":")
    return name if name and port in WEB_PORTS else host
