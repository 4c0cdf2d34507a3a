"""What carries out runs: functions, the state machine, workers, and what sets them going."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CfnOutput, Duration, Fn, Stack, Tags

from fanfold.settings import Deployment, Offer, own_version
from infra import functions
from infra.bundle import CONTROL_UNUSED, STEP_UNUSED, UNUSED
from infra.constructs.access import Access
from infra.constructs.attempt_session import ROLE, AttemptSession
from infra.constructs.boundary import Boundaries
from infra.constructs.check_function import NAME, CheckFunction
from infra.constructs.egress_proxy import proxy_variables, way_out
from infra.constructs.model_secrets import PASS
from infra.constructs.python_function import PythonFunction, Workplace
from infra.constructs.supervisor import Supervisor, functions_of, placeholder_of
from infra.constructs.triggers import Triggers
from infra.constructs.user_access import UserAccess
from infra.constructs.worker_fleet import AGENT_TAG, Build, WorkerFleet
from infra.settings import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from constructs import Construct

    from infra.settings import CloudSettings
    from infra.sources import Sources
    from infra.stacks.data import DataStack
    from infra.stacks.egress import EgressStack
    from infra.stacks.network import NetworkStack


class ControlStack(Stack):
    """Every function that has a handler, and the supervisor once it has all that it calls."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        sources: Sources,
        data: DataStack,
        network: NetworkStack,
        egress: EgressStack | None = None,
    ) -> None:
        super().__init__(scope, construct_id, description="fanfold: functions and supervisor")
        self.add_stack_dependency(data)
        self._settings, self._sources = settings, sources
        self._data, self._network = data, network.network
        self._secrets = egress.secrets if egress else None
        self._access = Access(settings, data)
        self._boundaries = Boundaries(self, "Boundaries", settings=settings)
        self.functions = {
            name: self._control_function(name)
            for name in functions.control(sources.root, with_key=self._secrets is not None)
        }
        if self._secrets:
            self._secrets.rotate_with(self.functions["rotate"])
        self._open_sessions()
        self.check = self._check_function()
        self.attempts = self._attempt_functions()
        self.fleet = self._worker_fleet()
        self.supervisor = self._supervisor()
        self.triggers = Triggers(
            self, "Triggers", settings=settings, functions=self.functions, data=data
        )
        self.users = UserAccess(self, "UserAccess", settings=settings, access=self._access)
        for told in (self._deployment(), self._offer()):
            for name, value in told.outputs().items():
                CfnOutput(self, name, value=value)

    def _offer(self) -> Offer:
        settings = self._settings
        return Offer(
            profile=settings.profile.value,
            provider=settings.provider,
            models=settings.models,
            attempts=settings.run_slots * settings.concurrency,
            routing=settings.routing,
            egress=settings.egress,
            base_image=settings.base_image,
        )

    def _deployment(self, role: str = "") -> Deployment:
        store = self._data.event_store
        return Deployment(
            events_table=store.events.table_name,
            projections_table=store.projections.table_name,
            coordination_table=store.coordination.table_name,
            artifact_bucket=self._data.artifacts.bucket.bucket_name,
            event_bus=self._data.intake.bus.event_bus_name,
            state_machine=self._access.state_machine_arn,
            grant_function=self._access.live_arn("grant"),
            session_role=self._access.role_arn(ROLE),
            check_function=self._access.live_arn(NAME) if self._sources.has_check else "",
            pass_secret=self._settings.name(PASS) if self._secrets else "",
            answer_function=self._access.live_arn("answer"),
            version=own_version(),
            base_image=self._settings.base_image,
            role=role,
            profile=self._settings.profile.value,
            run_slots=self._settings.run_slots,
            concurrency=self._settings.concurrency,
        )

    def _worker_variables(self, role: str) -> dict[str, str]:
        """With where it finds its model, and how it gets out where it may."""
        settings = self._settings
        model = {"FANFOLD_MODEL_PROVIDER": settings.provider}
        if settings.provider == "bedrock":
            model["FANFOLD_MODEL_ROUTING"] = settings.routing
        return {**self._deployment(role).environment(), **model, **proxy_variables(settings)}

    def _control_function(self, name: str) -> PythonFunction:
        size = functions.CONTROL[name]
        told = self._offer().environment() if name == "admit" else {}
        unused = STEP_UNUSED if name in functions.SCANNING else CONTROL_UNUSED
        return PythonFunction(
            self,
            placeholder_of(name).removesuffix("Function"),
            settings=self._settings,
            name=name.replace("_", "-"),
            handler=name,
            bundle=self._sources.bundle(unused),
            environment={**self._deployment().environment(), **told},
            boundary=cast("iam.IManagedPolicy", self._boundaries.control),
            statements=functions.statements(name, self._access),
            timeout=Duration.seconds(size.timeout_s),
            memory_mb=size.memory_mb,
        )

    def _attempt_functions(self) -> dict[str, PythonFunction]:
        if not functions.present(self._sources.root, ["attempt"]):
            return {}
        roles = functions.roles(self._sources.root)
        return {role: self._attempt_function(role) for role in roles}

    def _attempt_function(self, role: str) -> PythonFunction:
        function = PythonFunction(
            self,
            f"Attempt{role.title()}",
            settings=self._settings,
            name=f"attempt-{role}",
            handler="attempt",
            bundle=self._sources.bundle(UNUSED),
            environment=self._worker_variables(role),
            boundary=cast("iam.IManagedPolicy", self._boundaries.worker),
            statements=functions.work(self._access),
            timeout=Duration.seconds(functions.ATTEMPT.timeout_s),
            memory_mb=functions.ATTEMPT.memory_mb,
            reserved=self._settings.reserved_concurrency,
            workplace=self._workplace(),
        )
        Tags.of(function).add(AGENT_TAG, role)
        return function

    def _check_function(self) -> CheckFunction | None:
        if not self._sources.has_check:
            return None
        return CheckFunction(
            self,
            "Check",
            settings=self._settings,
            context=self._sources.image_context(),
            boundary=cast("iam.IManagedPolicy", self._boundaries.check),
            workplace=Workplace(
                cast("ec2.IVpc", self._network.vpc),
                self._network.subnets,
                cast("ec2.ISecurityGroup", self._network.check_group),
            ),
        )

    def _workplace(self) -> Workplace:
        return Workplace(
            cast("ec2.IVpc", self._network.vpc),
            self._network.subnets,
            cast("ec2.ISecurityGroup", self._network.worker_group),
        )

    def _open_sessions(self) -> None:
        grant = self.functions["grant"].role
        sessions = AttemptSession(
            self,
            "AttemptSession",
            settings=self._settings,
            access=self._access,
            grant=cast("iam.IRole", grant),
            boundary=cast("iam.IManagedPolicy", self._boundaries.session),
        )
        grant.add_to_policy(sessions.assume_statement())

    def _worker_fleet(self) -> WorkerFleet | None:
        if self._settings.profile is not Profile.FULL or not self._sources.has_worker:
            return None
        roles = functions.roles(self._sources.root)
        return WorkerFleet(
            self,
            "WorkerFleet",
            settings=self._settings,
            vpc=cast("ec2.IVpc", self._network.vpc),
            context=self._sources.image_context(),
            environments={role: self._worker_variables(role) for role in roles},
            boundary=cast("iam.IManagedPolicy", self._boundaries.worker),
            statements=[*functions.work(self._access), self._access.report_back()],
            build=Build(
                {**self._deployment().environment(), **way_out(self._settings)},
                functions.build(self._access),
                cast("iam.IManagedPolicy", self._boundaries.builder),
            ),
        )

    def _supervisor(self) -> Supervisor | None:
        definition = self._sources.definition()
        called = functions_of(definition)
        if not definition or not self.attempts or not called <= set(self.functions):
            return None
        return Supervisor(
            self,
            "Supervisor",
            settings=self._settings,
            definition=definition,
            substitutions=self._substitutions(sorted(called)),
            functions=[*(self.functions[name] for name in sorted(called)), *self.attempts.values()],
            fleet=self.fleet,
            boundary=cast("iam.IManagedPolicy", self._boundaries.supervisor),
        )

    def _substitutions(self, called: list[str]) -> dict[str, str]:
        """All code by version and revision, so that an execution ends on what it began with."""
        subnets = self._network.vpc.select_subnets(subnet_type=self._network.subnets.subnet_type)
        containers = self.fleet.task_definitions if self.fleet else {}
        return {
            **{placeholder_of(name): self.functions[name].version.function_arn for name in called},
            "AttemptFunctions": _by_role(
                {role: f.version.function_arn for role, f in self.attempts.items()}
            ),
            "Cluster": self._settings.name("workers"),
            "WorkerTaskDefinitions": _by_role(
                {role: task.task_definition_arn for role, task in containers.items()}
            ),
            "BuilderTaskDefinition": (
                self.fleet.builder.task_definition_arn if self.fleet else "none"
            ),
            "WorkerSubnets": Fn.join(",", subnets.subnet_ids),
            "WorkerSecurityGroup": self._network.worker_group.security_group_id,
        }


def _by_role(arns: Mapping[str, str]) -> str:
    """As the function `decide` reads it; ARNs are only known when they are deployed."""
    pairs = [f"{role}={arn}" for role, arn in arns.items()]
    return Fn.join(",", pairs) if pairs else "none"
