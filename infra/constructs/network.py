"""Where agents work: subnets with no way out but the endpoints of the services they use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Aws, CfnMapping
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.log_group import own_log
from infra.models import CALLS, model_arns
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
PREFIX_LISTS = {
    "us-east-1": {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"},
    "us-east-2": {"s3": "pl-7ba54012", "dynamodb": "pl-4ca54025"},
    "eu-west-1": {"s3": "pl-6da54004", "dynamodb": "pl-6fa54006"},
}
"""AWS's own addresses of the services behind gateway endpoints, by region."""


class Network(Construct):
    """Isolated subnets, the endpoints of the profile, and the groups of workers and endpoints."""

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
        self._settings, self._tables, self._bucket = settings, tables, bucket
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=settings.name("workers"),
            ip_addresses=ec2.IpAddresses.cidr("10.64.0.0/20"),
            max_azs=ZONES[settings.profile],
            nat_gateways=0,
            create_internet_gateway=False,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                )
            ],
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.endpoint_group = self._group("Endpoints", "Interface endpoints; answers only")
        self.worker_group = self._group("Workers", "Attempts; may reach the endpoints alone")
        self._log_refusals()
        self._add_gateways()
        for name, service in self._services().items():
            self._add_interface(name, service)
        self._let_workers_reach_endpoints()

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
        for prefix_list in self._prefix_lists():
            self.worker_group.add_egress_rule(
                ec2.Peer.prefix_list(prefix_list), port, "Services with a gateway endpoint"
            )

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
        lite = {"BedrockRuntime": service.BEDROCK_RUNTIME, "Lambda": service.LAMBDA_}
        if self._settings.profile is Profile.LITE:
            return lite
        return lite | {
            "EcrApi": service.ECR,
            "EcrDkr": service.ECR_DOCKER,
            "Logs": service.CLOUDWATCH_LOGS,
            "StepFunctions": service.STEP_FUNCTIONS,
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
        for statement in self._interface_policies()[name]:
            endpoint.add_to_policy(statement)

    def _add_gateways(self) -> None:
        dynamodb_endpoint = self.vpc.add_gateway_endpoint(
            "DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
        )
        tables = [table.table_arn for table in self._tables]
        dynamodb_endpoint.add_to_policy(
            _own_account(
                [f"dynamodb:{verb}" for verb in ("GetItem", "PutItem", "Query", "UpdateItem")],
                [*tables, f"{tables[0]}/index/*"],
            )
        )
        s3_endpoint = self.vpc.add_gateway_endpoint(
            "S3", service=ec2.GatewayVpcEndpointAwsService.S3
        )
        s3_endpoint.add_to_policy(
            _own_account(["s3:GetObject", "s3:PutObject"], [self._bucket.arn_for_objects("*")])
        )
        s3_endpoint.add_to_policy(_own_account(["s3:ListBucket"], [self._bucket.bucket_arn]))
        if self._settings.profile is Profile.FULL:
            layers = f"arn:aws:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
            s3_endpoint.add_to_policy(_anybody(["s3:GetObject"], [layers]))

    def _interface_policies(self) -> dict[str, list[iam.PolicyStatement]]:
        settings, here = self._settings, f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        grant = f"arn:aws:lambda:{here}:function:{settings.name('grant')}"
        images = f"arn:aws:ecr:{here}:repository/*"
        machine = f"arn:aws:states:{here}:stateMachine:{settings.name('run')}"
        pull = [
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:BatchCheckLayerAvailability",
        ]
        answer = ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"]
        write = ["logs:CreateLogStream", "logs:PutLogEvents"]
        log = f"arn:aws:logs:{here}:log-group:/{settings.name('worker')}*"
        return {
            "BedrockRuntime": [_own_account(CALLS, model_arns(settings))],
            "Lambda": [_own_account(["lambda:InvokeFunction"], [grant, f"{grant}:*"])],
            "EcrApi": [
                _own_account(pull, [images]),
                _own_account(["ecr:GetAuthorizationToken"], ["*"]),
            ],
            "EcrDkr": [_own_account(pull, [images])],
            "Logs": [_own_account(write, [log])],
            "StepFunctions": [_own_account(answer, [machine])],
        }


def _own_account(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    """Whoever calls must be of this account, so that nobody's own credentials carry data out."""
    return iam.PolicyStatement(
        principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
        actions=actions,
        resources=resources,
        conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
    )


def _anybody(actions: list[str], resources: list[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[cast("iam.IPrincipal", iam.AnyPrincipal())],
        actions=actions,
        resources=resources,
    )
