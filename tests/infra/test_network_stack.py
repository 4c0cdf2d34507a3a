"""The agents' network: no way to the public internet, and an endpoint for every service used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.templates import as_list, load, of_type, plain, properties

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.templates import Resource, Template

WAYS_OUT = {
    "AWS::EC2::CarrierGateway",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::EIP",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::VPCPeeringConnection",
    "AWS::EC2::VPNGateway",
}
EVERYWHERE = {"0.0.0.0/0", "::/0"}
ENDPOINTS = {
    "lite": {"bedrock-runtime", "lambda"},
    "full": {"bedrock-runtime", "lambda", "ecr.api", "ecr.dkr", "logs", "states", "xray"},
}


def egress_rules(template: Template) -> list[Resource]:
    inline = [
        rule
        for group in properties(template, "AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupEgress", [])
    ]
    return inline + properties(template, "AWS::EC2::SecurityGroupEgress")


def endpoints(template: Template, kind: str) -> dict[str, Resource]:
    return {
        plain(endpoint["ServiceName"]).split("}.")[-1].removeprefix("com.amazonaws."): endpoint
        for endpoint in properties(template, "AWS::EC2::VPCEndpoint")
        if endpoint["VpcEndpointType"] == kind
    }


def test_nothing_in_the_network_leads_out(network_template: Template) -> None:
    kinds = {resource["Type"] for resource in network_template["Resources"].values()}
    assert "AWS::EC2::Subnet" in kinds
    assert not kinds & WAYS_OUT
    assert not properties(network_template, "AWS::EC2::Route")


def test_no_subnet_gives_out_public_addresses(network_template: Template) -> None:
    subnets = properties(network_template, "AWS::EC2::Subnet")
    assert subnets
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)


def test_no_group_lets_anything_out_to_everywhere(network_template: Template) -> None:
    rules = egress_rules(network_template)
    assert rules
    assert not any({rule.get("CidrIp"), rule.get("CidrIpv6")} & EVERYWHERE for rule in rules)


def test_workers_reach_endpoints_over_https_alone(network_template: Template) -> None:
    groups = of_type(network_template, "AWS::EC2::SecurityGroup")
    (workers,) = (k for k, g in groups.items() if "Attempts" in g["Properties"]["GroupDescription"])
    (endpoint,) = (k for k, g in groups.items() if "answers" in g["Properties"]["GroupDescription"])
    inline = groups[workers]["Properties"].get("SecurityGroupEgress", [])
    separate = [
        rule
        for rule in properties(network_template, "AWS::EC2::SecurityGroupEgress")
        if rule["GroupId"]["Fn::GetAtt"][0] == workers
    ]
    rules = [*inline, *separate]
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {
        ("tcp", 443, 443)
    }
    to_group = [r for r in rules if "DestinationSecurityGroupId" in r]
    assert [r["DestinationSecurityGroupId"]["Fn::GetAtt"][0] for r in to_group] == [endpoint]
    assert len([r for r in rules if "DestinationPrefixListId" in r]) == 2
    assert "SecurityGroupIngress" not in groups[workers]["Properties"]


@pytest.mark.parametrize("profile", ["lite", "full"])
def test_every_service_that_workers_use_has_an_endpoint(
    request: pytest.FixtureRequest, profile: str
) -> None:
    folder: Path = request.getfixturevalue("assembly" if profile == "lite" else "full_assembly")
    template = load(folder, "network")
    assert set(endpoints(template, "Gateway")) == {"s3", "dynamodb"}
    interfaces = endpoints(template, "Interface")
    assert set(interfaces) == ENDPOINTS[profile]
    zones = {"lite": 1, "full": 2}[profile]
    assert {len(endpoint["SubnetIds"]) for endpoint in interfaces.values()} == {zones}
    assert all(endpoint["PrivateDnsEnabled"] for endpoint in interfaces.values())


def test_an_endpoint_serves_only_this_account(network_template: Template) -> None:
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    for endpoint in properties(network_template, "AWS::EC2::VPCEndpoint"):
        for statement in endpoint["PolicyDocument"]["Statement"]:
            layers = "starport-layer-bucket" in plain(as_list(statement["Resource"])[0])
            assert layers or statement["Condition"] == own
            assert "*" not in as_list(statement["Action"])


def test_models_are_called_by_their_own_arns_alone(network_template: Template) -> None:
    bedrock = endpoints(network_template, "Interface")["bedrock-runtime"]
    (statement,) = bedrock["PolicyDocument"]["Statement"]
    found = {plain(resource) for resource in statement["Resource"]}
    model = "anthropic.claude-sonnet-5-5"
    regions = ("us-east-1", "us-east-2", "us-west-2")
    profile = f"arn:aws:bedrock:${{Region}}:${{AccountId}}:inference-profile/us.{model}"
    models = {f"arn:aws:bedrock:{region}::foundation-model/{model}" for region in regions}
    assert found == {profile, *models}


def test_refused_traffic_is_recorded(network_template: Template) -> None:
    (log,) = properties(network_template, "AWS::EC2::FlowLog")
    assert log["TrafficType"] == "REJECT"
