"""What a deployment costs in a month in which nothing runs, computed from its templates.

Prices are those of us-east-1, in dollars a month of 730 hours (AWS price pages, November 2026).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

ENDPOINT_ZONE, NAT_GATEWAY, ADDRESS, FILTERED_NAME = 7.30, 32.85, 3.65, 0.0005
EACH = {
    "AWS::KMS::Key": 1.00,
    "AWS::CloudWatch::Alarm": 0.10,
    "AWS::CloudWatch::Dashboard": 3.00,
    "AWS::SecretsManager::Secret": 0.40,
    "AWS::EC2::NatGateway": NAT_GATEWAY,
    "AWS::EC2::EIP": ADDRESS,
    "AWS::ECS::Service": 730 * (0.25 * 0.03238 + 0.5 * 0.00356) + ADDRESS,
    "AWS::ServiceDiscovery::PrivateDnsNamespace": 0.50,
}
LIMIT = {"lite": 25.0}


def idle_price(resource: dict[str, Any]) -> float:
    """Dollars a month of a resource that nobody uses."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    if kind == "AWS::EC2::VPCEndpoint" and properties["VpcEndpointType"] == "Interface":
        return ENDPOINT_ZONE * len(properties["SubnetIds"])
    if kind == "AWS::Route53Resolver::FirewallDomainList":
        return FILTERED_NAME * len(properties["Domains"])
    return EACH.get(kind, 0.0)


def idle_prices(assembly: Path) -> dict[str, tuple[int, float]]:
    """By type of resource: how many are paid for while idle, and their dollars a month."""
    found: dict[str, tuple[int, float]] = {}
    for path in sorted(assembly.glob("*.template.json")):
        for resource in json.loads(path.read_text())["Resources"].values():
            if price := idle_price(resource):
                count, total = found.get(resource["Type"], (0, 0.0))
                found[resource["Type"]] = count + 1, total + price
    return found


def main() -> None:
    import app
    from infra.bundle import sources_only
    from infra.sources import Sources

    for profile in ("lite", "full"):
        with tempfile.TemporaryDirectory() as folder:
            app.build(folder, sources=Sources(bundler=sources_only), profile=profile).synth()
            prices = idle_prices(Path(folder))
        total = sum(price for _, price in prices.values())
        print(f"{profile}: ${total:.2f} a month while idle")
        for kind, (count, price) in sorted(prices.items()):
            print(f"  {count:3} × {kind:32} ${price:6.2f}")
        if total > LIMIT.get(profile, total):
            sys.exit(f"{profile} is above ${LIMIT[profile]:.2f}")


if __name__ == "__main__":
    main()
