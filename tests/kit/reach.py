"""Where packets from a subnet and a security group can go, by the templates alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kit.assembly import Assembly

EVERYWHERE = {"0.0.0.0/0", "::/0"}
WAYS_OUT = {
    *("GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId", "TransitGatewayId"),
    *("VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId", "CarrierGatewayId"),
    *("LocalGatewayId", "CoreNetworkArn", "VpcEndpointId"),
}
HIDDEN = {
    *("AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::VPCPeeringConnection"),
    *("AWS::EC2::TransitGatewayAttachment", "AWS::EC2::TransitGatewayVpcAttachment"),
    *("AWS::EC2::EgressOnlyInternetGateway", "AWS::EC2::VPNGateway", "AWS::EC2::CarrierGateway"),
}


def plain(name: Any) -> str:
    """The logical id behind a resolved reference."""
    return str(name).strip("<>").split(".")[0]


class Reach:
    """Questions to the network of an assembly."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def of_type(self, kind: str) -> dict[str, Any]:
        return {key: found for (_, key), found in self._assembly.of_type(kind).items()}

    def worker_places(self) -> tuple[set[str], set[str]]:
        """Subnets and groups of the functions that run attempts, and of what takes part in them."""
        subnets, groups = set[str](), set[str]()
        for function in self.of_type("AWS::Lambda::Function").values():
            place = function.get("VpcConfig")
            if place:
                subnets |= {plain(each) for each in place["SubnetIds"]}
                groups |= {plain(each) for each in place["SecurityGroupIds"]}
        return subnets, groups

    def routes_out(self, subnet: str) -> list[dict[str, Any]]:
        """Routes of the subnet's table to anything but the network itself."""
        tables = {
            plain(found["RouteTableId"])
            for found in self.of_type("AWS::EC2::SubnetRouteTableAssociation").values()
            if plain(found["SubnetId"]) == subnet
        }
        assert tables, f"{subnet} has no table of its own"
        routes = self.of_type("AWS::EC2::Route").values()
        return [r for r in routes if plain(r["RouteTableId"]) in tables and WAYS_OUT & r.keys()]

    def egress(self, group: str) -> list[dict[str, Any]]:
        inline = self.of_type("AWS::EC2::SecurityGroup")[group].get("SecurityGroupEgress", [])
        return [*_real(inline), *self._rules("AWS::EC2::SecurityGroupEgress", group)]

    def ingress(self, group: str) -> list[dict[str, Any]]:
        inline = self.of_type("AWS::EC2::SecurityGroup")[group].get("SecurityGroupIngress", [])
        return [*inline, *self._rules("AWS::EC2::SecurityGroupIngress", group)]

    def groups_from(self, group: str) -> set[str]:
        """Every group that packets from `group` can come to, one after the other."""
        found, more = set[str](), {group}
        while more:
            found |= more
            more = {
                plain(rule["DestinationSecurityGroupId"])
                for each in more
                for rule in self.egress(each)
                if "DestinationSecurityGroupId" in rule
            } - found
        return found

    def group_of(self, description: str) -> str:
        (key,) = (
            key
            for key, group in self.of_type("AWS::EC2::SecurityGroup").items()
            if description in group["GroupDescription"]
        )
        return key

    def resolves(self, name: str) -> bool:
        """What the resolver of the network says to a question for `name`, by its first rule."""
        names = self.of_type("AWS::Route53Resolver::FirewallDomainList")
        groups = self.of_type("AWS::Route53Resolver::FirewallRuleGroup")
        ((_, association),) = self.of_type(
            "AWS::Route53Resolver::FirewallRuleGroupAssociation"
        ).items()
        (vpc,) = self.of_type("AWS::EC2::VPC")
        assert plain(association["VpcId"]) == vpc
        rules = groups[plain(association["FirewallRuleGroupId"])]["FirewallRules"]
        for rule in sorted(rules, key=lambda each: each["Priority"]):
            domains = names[plain(rule["FirewallDomainListId"])]["Domains"]
            if any(_is_below(name, domain) for domain in domains):
                return rule["Action"] == "ALLOW"
        return True

    def _rules(self, kind: str, group: str) -> list[dict[str, Any]]:
        return [rule for rule in self.of_type(kind).values() if plain(rule["GroupId"]) == group]


def _real(rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A group without any rule would let everything out: CDK writes one that leads nowhere."""
    return (rule for rule in rules if rule.get("CidrIp") != "255.255.255.255/32")


def _is_below(name: str, domain: str) -> bool:
    """A star stands for all labels before the rest; alone, for every name."""
    if domain == "*":
        return True
    return name.endswith(domain[1:]) if domain.startswith("*.") else name == domain


def open_to_all(rule: dict[str, Any]) -> bool:
    return bool({rule.get("CidrIp"), rule.get("CidrIpv6")} & EVERYWHERE)
