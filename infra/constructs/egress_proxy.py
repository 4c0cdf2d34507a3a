"""The way out of the agents' network: one small proxy that only workers may talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct

from infra.constructs.findings import acknowledge, acknowledge_wildcards
from infra.constructs.log_group import own_log
from infra.constructs.network import MODEL_PORT, TUNNEL_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_logs as logs

    from infra.bundle import Bundle
    from infra.constructs.network import Network
    from infra.settings import CloudSettings

NAME = "proxy"
CPU, MEMORY_MB = 256, 512
NO_PROXY = "localhost,127.0.0.1,169.254.169.254,169.254.170.2,.amazonaws.com"
"""What workers reach by themselves: their endpoints, and what their own container offers."""


def proxy_variables(settings: CloudSettings) -> dict[str, str]:
    """What tells workers of the proxy; nothing where there is none."""
    if not settings.egress:
        return {}
    found = way_out(settings)
    if settings.provider == "anthropic":
        found["ANTHROPIC_BASE_URL"] = f"http://{NAME}.{_domain(settings)}:{MODEL_PORT}"
    return found


def way_out(settings: CloudSettings) -> dict[str, str]:
    """What leads to allowed hosts, for who calls no model; nothing where there is no proxy."""
    if not settings.egress:
        return {}
    tunnel = f"http://{NAME}.{_domain(settings)}:{TUNNEL_PORT}"
    no_proxy = f"{NO_PROXY},.{_domain(settings)}"
    found = {"HTTPS_PROXY": tunnel, "https_proxy": tunnel}
    return found | {"NO_PROXY": no_proxy, "no_proxy": no_proxy}


class EgressProxy(Construct):
    """A service of one container in a public subnet, found by its name inside the network."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        network: Network,
        context: Bundle,
        environment: Mapping[str, str],
        boundary: iam.IManagedPolicy,
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings, self._network, self._boundary = settings, network, boundary
        self.role = self._role("Role", NAME)
        for statement in statements:
            self.role.add_to_policy(statement)
        acknowledge_wildcards(self.role, statements, "Six characters that end a secret's name.")
        self.service = self._service(self._task(context, environment))

    def _task(self, context: Bundle, environment: Mapping[str, str]) -> ecs.FargateTaskDefinition:
        start = self._role("StartRole", f"{NAME}-start")
        acknowledge(
            start, ("AwsSolutions-IAM5[Resource::*]", "A registry's login names no repository.")
        )
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            family=self._settings.name(NAME),
            cpu=CPU,
            memory_limit_mib=MEMORY_MB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=cast("iam.IRole", self.role),
            execution_role=cast("iam.IRole", start),
        )
        image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(context.folder),
            file="containers/proxy/Dockerfile",
            platform=ecr_assets.Platform.LINUX_ARM64,
            extra_hash=context.digest,
        )
        log = own_log(self, "Log", name=f"/{self._settings.name(NAME)}", settings=self._settings)
        task.add_container(
            NAME,
            image=ecs.ContainerImage.from_docker_image_asset(image),
            environment=dict(environment),
            readonly_root_filesystem=True,
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=NAME, log_group=cast("logs.ILogGroup", log)
            ),
        )
        acknowledge(
            task, ("AwsSolutions-ECS2", "The variables are hosts and names of secrets, no secrets.")
        )
        return task

    def _service(self, task: ecs.FargateTaskDefinition) -> ecs.FargateService:
        vpc = cast("ec2.IVpc", self._network.vpc)
        cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=self._settings.name(NAME),
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        namespace = discovery.PrivateDnsNamespace(
            self, "Names", name=_domain(self._settings), vpc=vpc
        )
        return ecs.FargateService(
            self,
            "Service",
            service_name=self._settings.name(NAME),
            cluster=cast("ecs.ICluster", cluster),
            task_definition=task,
            desired_count=1,
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            assign_public_ip=True,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            security_groups=[cast("ec2.ISecurityGroup", self._network.proxy_group)],
            cloud_map_options=ecs.CloudMapOptions(
                name=NAME,
                cloud_map_namespace=cast("discovery.INamespace", namespace),
                dns_record_type=discovery.DnsRecordType.A,
                dns_ttl=Duration.seconds(15),
            ),
        )

    def _role(self, construct_id: str, name: str) -> iam.Role:
        return iam.Role(
            self,
            construct_id,
            role_name=self._settings.name(name),
            assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("ecs-tasks.amazonaws.com")),
            permissions_boundary=self._boundary,
        )


def _domain(settings: CloudSettings) -> str:
    return f"{settings.project}-{settings.stage}.internal"
