"""The price of a deployment that nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.idle_price import LIMIT, idle_prices

if TYPE_CHECKING:
    from pathlib import Path


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
    }
