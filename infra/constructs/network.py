"""Where agents work: subnets with no way out but the endpoints of the services they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws, CfnMapping
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.constructs.endpoint_policies import EndpointPolicies
from infra.constructs.log_group import own_log
from infra.constructs.name_filter import NameFilter
from infra.settings import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_s3 as s3

    from infra.settings import CloudSettings

ZONES = {Profile.LITE: 1, Profile.FULL: 2}
"""An interface endpoint is paid for by the zone."""

HTTPS = 443
TUNNEL_PORT, MODEL_PORT = 3128, 8080
PROXY_PORTS = {TUNNEL_PORT: "Tunnels to allowed hosts", MODEL_PORT: "The model API"}
PREFIX_LISTS = {
    "us-east-1": {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"},
    "us-east-2": {"s3": "pl-7ba54012", "dynamodb": "pl-4ca54025"},
    "eu-west-1": {"s3": "pl-6da54004", "dynamodb": "pl-6fa54006"},
}
"""AWS's own lists of the addresses behind gateway endpoints, where nobody looked them up."""


class Network(Construct):
    """Isolated subnets, the endpoints of the profile, groups, and the names that resolve there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        tables: Sequence[dynamodb.ITable],
        bucket: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        tables_by_arn = [table.table_arn for table in tables]
        self._policies = EndpointPolicies(settings, tables_by_arn, bucket.bucket_arn)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=settings.name("workers"),
            ip_addresses=ec2.IpAddresses.cidr("10.64.0.0/20"),
            max_azs=ZONES[settings.profile],
            nat_gateways=0,
            create_internet_gateway=bool(settings.egress),
            restrict_default_security_group=False,
            subnet_configuration=_subnets(bool(settings.egress)),
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.endpoint_group = self._group("Endpoints", "Interface endpoints; answers only")
        self.worker_group = self._group("Workers", "Attempts; may reach the endpoints alone")
        self.check_group = self._group("Checks", "Checks of what agents wrote; objects alone")
        self.proxy_group = self._group("Proxy", "The way out") if settings.egress else None
        self._log_refusals()
        self._add_gateways()
        for name, service in self._services().items():
            self._add_interface(name, service)
        NameFilter(
            self,
            "Names",
            settings=settings,
            vpc_id=self.vpc.vpc_id,
            services=self._services(),
        )
        self._let_workers_reach_endpoints()
        if self.proxy_group:
            self._let_workers_reach_proxy(self.proxy_group)

    def _group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self,
            construct_id,
            vpc=cast("ec2.IVpc", self.vpc),
            description=description,
            allow_all_outbound=False,
        )

    def _let_workers_reach_endpoints(self) -> None:
        port = ec2.Port.tcp(HTTPS)
        workers = cast("ec2.IPeer", self.worker_group)
        endpoints = cast("ec2.IPeer", self.endpoint_group)
        self.endpoint_group.add_ingress_rule(workers, port, "Workers call services")
        self.worker_group.add_egress_rule(endpoints, port, "Services with an interface endpoint")
        objects, *others = map(ec2.Peer.prefix_list, self._prefix_lists())
        for peer in (objects, *others):
            self.worker_group.add_egress_rule(peer, port, "Services with a gateway endpoint")
        self.check_group.add_egress_rule(objects, port, "Objects by signed URLs")

    def _let_workers_reach_proxy(self, proxy: ec2.SecurityGroup) -> None:
        """Workers themselves keep no route out; what they may ask the proxy for, it knows."""
        workers = cast("ec2.IPeer", self.worker_group)
        for number, what in PROXY_PORTS.items():
            port = ec2.Port.tcp(number)
            proxy.add_ingress_rule(workers, port, what)
            self.worker_group.add_egress_rule(cast("ec2.IPeer", proxy), port, what)
        for number in (80, HTTPS):
            proxy.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(number), "Allowed hosts")

    def _prefix_lists(self) -> Sequence[str]:
        if self._settings.prefix_lists:
            return self._settings.prefix_lists
        mapping = CfnMapping(self, "PrefixLists", mapping=PREFIX_LISTS)
        return [mapping.find_in_map(Aws.REGION, service) for service in ("s3", "dynamodb")]

    def _log_refusals(self) -> None:
        """Traffic that a group refused is an attempt to get out, or a missing endpoint."""
        name = self._settings.name("refused-traffic")
        log = own_log(self, "Refused", name=name, settings=self._settings)
        self.vpc.add_flow_log(
            "Refusals",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(cast("logs.ILogGroup", log)),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )

    def _services(self) -> dict[str, ec2.InterfaceVpcEndpointAwsService]:
        service = ec2.InterfaceVpcEndpointAwsService
        lite = {"Lambda": service.LAMBDA_}
        if self._settings.provider == "bedrock":
            lite["BedrockRuntime"] = service.BEDROCK_RUNTIME
        if self._settings.profile is Profile.LITE:
            return lite
        return lite | {
            "EcrApi": service.ECR,
            "EcrDkr": service.ECR_DOCKER,
            "Logs": service.CLOUDWATCH_LOGS,
            "StepFunctions": service.STEP_FUNCTIONS,
            "XRay": service.XRAY,
        }

    def _add_interface(self, name: str, service: ec2.InterfaceVpcEndpointAwsService) -> None:
        endpoint = self.vpc.add_interface_endpoint(
            name,
            service=cast("ec2.IInterfaceVpcEndpointService", service),
            open=False,
            private_dns_enabled=True,
            security_groups=[cast("ec2.ISecurityGroup", self.endpoint_group)],
            subnets=self.subnets,
        )
        for statement in self._policies.interface(name):
            endpoint.add_to_policy(statement)

    def _add_gateways(self) -> None:
        service = ec2.GatewayVpcEndpointAwsService
        for name, kind in {"DynamoDb": service.DYNAMODB, "S3": service.S3}.items():
            endpoint = self.vpc.add_gateway_endpoint(name, service=kind, subnets=[self.subnets])
            for statement in self._policies.gateway(name):
                endpoint.add_to_policy(statement)


def _subnets(with_way_out: bool) -> list[ec2.SubnetConfiguration]:
    """Those of workers come first, so that a proxy that is added later moves none of them."""
    isolated = ec2.SubnetConfiguration(
        name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
    )
    public = ec2.SubnetConfiguration(
        name="public",
        subnet_type=ec2.SubnetType.PUBLIC,
        cidr_mask=28,
        map_public_ip_on_launch=False,
    )
    return [isolated, public] if with_way_out else [isolated]
