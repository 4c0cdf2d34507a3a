"""Agents that need a shell or more than a quarter of an hour: tasks on Fargate."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from aws_cdk import Aws, Duration, RemovalPolicy, Tags
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.findings import acknowledge, acknowledge_wildcards
from infra.constructs.log_group import own_log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_logs as logs

    from infra.bundle import Bundle
    from infra.settings import CloudSettings

CONTAINER, BUILDER = "worker", "builder"
AGENT_TAG = "agent"
"""By which billing tells kinds of agents apart; the state machine tags tasks with it, too."""

CPU, MEMORY_MB, DISK_GB = 2048, 8192, 50
SPOT_NOTICE = Duration.seconds(120)
"""How long ahead Spot tells a task of its end; it saves a checkpoint in it."""


class Build(NamedTuple):
    """What the container that prepares trees is told and may do, bounded."""

    environment: Mapping[str, str]
    statements: Sequence[iam.PolicyStatement]
    boundary: iam.IManagedPolicy


class WorkerFleet(Construct):
    """A cluster with a task definition and a role for every kind of agent; idle, it costs nothing.

    The image is an asset: its tag is the digest of what it is built from, so that a deployment and
    its workers never differ. The CDK's command line builds it when it deploys, not at synthesis.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        vpc: ec2.IVpc,
        context: Bundle,
        environments: Mapping[str, Mapping[str, str]],
        boundary: iam.IManagedPolicy,
        statements: Sequence[iam.PolicyStatement],
        build: Build,
    ) -> None:
        """`environments` are the variables of each role's container; `statements` what all may."""
        super().__init__(scope, construct_id)
        self._settings, self._boundary = settings, boundary
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=settings.name("workers"),
            vpc=vpc,
            enable_fargate_capacity_providers=True,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        self.log = own_log(self, "Log", name=f"/{settings.name('worker')}", settings=settings)
        self._image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(context.folder),
            file="containers/worker/Dockerfile",
            platform=ecr_assets.Platform.LINUX_ARM64,
            extra_hash=context.digest,
            build_args=settings.image_arguments(),
        )
        self._execution_role = self._role("Execution", "worker-start", boundary)
        acknowledge(
            self._execution_role,
            ("AwsSolutions-IAM5[Resource::*]", "A registry's login names no repository."),
        )
        self.roles: dict[str, iam.Role] = {}
        self.task_definitions = {
            role: self._task_definition(
                role, self._worker_role(role, statements), variables, ["containers.worker.main"]
            )
            for role, variables in environments.items()
        }
        self.builder = self._builder(build)

    @property
    def family(self) -> str:
        """The name of a task definition, with `{}` in place of the agent's role."""
        return self._settings.name("worker-{}")

    def _family(self, role: str) -> str:
        return self._settings.name(BUILDER) if role == BUILDER else self.family.format(role)

    def run_statements(self) -> list[iam.PolicyStatement]:
        """What it takes to run, watch, stop and tag the tasks, in this cluster alone."""
        here = f"{Aws.REGION}:{Aws.ACCOUNT_ID}"
        families = [
            f"arn:aws:ecs:{here}:task-definition/{self._family(role)}:*"
            for role in (*self.task_definitions, BUILDER)
        ]
        tasks = f"arn:aws:ecs:{here}:task/{self._settings.name('workers')}/*"
        passed = [self._execution_role.role_arn, *(role.role_arn for role in self.roles.values())]
        in_cluster = {"ArnEquals": {"ecs:cluster": self.cluster.cluster_arn}}
        return [
            iam.PolicyStatement(
                sid="RunWorkers", actions=["ecs:RunTask"], resources=families, conditions=in_cluster
            ),
            iam.PolicyStatement(
                sid="WatchWorkers",
                actions=["ecs:DescribeTasks", "ecs:StopTask"],
                resources=[tasks],
                conditions=in_cluster,
            ),
            iam.PolicyStatement(
                sid="TagWorkers",
                actions=["ecs:TagResource"],
                resources=[tasks],
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
            iam.PolicyStatement(
                sid="GiveWorkersTheirRoles",
                actions=["iam:PassRole"],
                resources=passed,
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ]

    def _builder(self, build: Build) -> ecs.FargateTaskDefinition:
        """The same image, to make environments; it calls no model and holds no key."""
        role = self._role("Builder", BUILDER, build.boundary)
        for statement in build.statements:
            role.add_to_policy(statement)
        acknowledge_wildcards(
            role, build.statements, "The objects that trees of runs are made of, and dependencies."
        )
        self.roles[BUILDER] = role
        return self._task_definition(
            BUILDER, role, build.environment, ["containers.worker.prepare"]
        )

    def _worker_role(self, role: str, statements: Sequence[iam.PolicyStatement]) -> iam.Role:
        made = self.roles[role] = self._role(role.title(), f"worker-{role}", self._boundary)
        for statement in statements:
            made.add_to_policy(statement)
        acknowledge_wildcards(
            made, statements, "Fan-outs of the one state machine, by their labels."
        )
        return made

    def _task_definition(
        self, role: str, task_role: iam.Role, variables: Mapping[str, str], module: list[str]
    ) -> ecs.FargateTaskDefinition:
        definition = ecs.FargateTaskDefinition(
            self,
            f"{role.title()}Task",
            family=self._family(role),
            cpu=CPU,
            memory_limit_mib=MEMORY_MB,
            ephemeral_storage_gib=DISK_GB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=cast("iam.IRole", task_role),
            execution_role=cast("iam.IRole", self._execution_role),
        )
        # The one capability that Fargate adds: what guards connections may look at who makes them.
        limits = ecs.LinuxParameters(self, f"{role.title()}Limits")
        limits.add_capabilities(ecs.Capability.SYS_PTRACE)
        definition.add_container(
            CONTAINER,
            linux_parameters=limits,
            image=ecs.ContainerImage.from_docker_image_asset(self._image),
            entry_point=["python", "-m", *module],
            stop_timeout=SPOT_NOTICE,
            environment=dict(variables),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=role, log_group=cast("logs.ILogGroup", self.log)
            ),
        )
        definition.apply_removal_policy(RemovalPolicy.RETAIN)
        Tags.of(definition).add(AGENT_TAG, role)
        acknowledge(
            definition,
            ("AwsSolutions-ECS2", "The variables are names of this deployment, and no secrets."),
        )
        return definition

    def _role(self, construct_id: str, name: str, boundary: iam.IManagedPolicy) -> iam.Role:
        return iam.Role(
            self,
            f"{construct_id}Role",
            role_name=self._settings.name(name),
            assumed_by=cast("iam.IPrincipal", iam.ServicePrincipal("ecs-tasks.amazonaws.com")),
            permissions_boundary=boundary,
        )
