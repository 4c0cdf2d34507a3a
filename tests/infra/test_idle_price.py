"""The price of a deployment that nobody uses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.idle_price import LIMIT, idle_prices

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN = {"egress": '["pypi.org", "*.pythonhosted.org"]'}
GUIDE = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_the_profile_lite_idles_within_its_price(assembly: Path) -> None:
    prices = idle_prices(assembly)
    assert prices["AWS::EC2::VPCEndpoint"][0] == 2
    assert sum(price for _, price in prices.values()) <= LIMIT["lite"]


def test_workers_and_functions_cost_nothing_while_idle(full_assembly: Path) -> None:
    assert set(idle_prices(full_assembly)) == {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::EC2::VPCEndpoint",
        "AWS::KMS::Key",
        "AWS::Route53Resolver::FirewallDomainList",
    }


def test_the_guide_tells_the_prices_as_they_are(
    assembly: Path, full_assembly: Path, once: Callable[..., Path]
) -> None:
    opened = [once(f"{profile}-list", profile=profile, **OPEN) for profile in ("lite", "full")]
    assert told("| idle, a month") == prices(assembly, full_assembly)
    assert told("| the same with a way out") == prices(*opened)


def told(beginning: str) -> list[str]:
    (row,) = (line for line in GUIDE.read_text().splitlines() if line.startswith(beginning))
    return row.split("|")[2:4]


def prices(*assemblies: Path) -> list[str]:
    totals = [sum(price for _, price in idle_prices(a).values()) for a in assemblies]
    return [f" ${total:.2f} " for total in totals]
