"""The identity of a single attempt: credentials that `grant` hands out for an hour at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.check_function import NAME as CHECK
from infra.constructs.findings import acknowledge_wildcards

if TYPE_CHECKING:
    from infra.constructs.access import Access
    from infra.settings import CloudSettings

ROLE = "attempt-session"
TAGS = ("run", "attempt", "base")
RUN, ATTEMPT, BASE = (f"${{aws:PrincipalTag/{tag}}}" for tag in TAGS)


class AttemptSession(Construct):
    """A role that only `grant` may assume, and whose session tags say how far it reaches.

    It puts objects below its attempt's prefix, events into its attempt's stream, and marks of what
    its run has in the prompt cache; beyond that it reads its run, the snapshot of its base, and
    prepared dependencies, which are named by what they hold. It may have the function `check`,
    which can do nothing by itself, run the unit checks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        access: Access,
        grant: iam.IRole,
        boundary: iam.IManagedPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        statements = [*self._statements(access), access.use_key(), access.invoke(CHECK)]
        tags = {"aws:TagKeys": list(TAGS)}
        present = {f"aws:RequestTag/{tag}": "false" for tag in TAGS}
        principal = iam.ArnPrincipal(grant.role_arn)
        trusted = principal.with_conditions(
            {"ForAllValues:StringEquals": tags, "Null": present}
        ).with_session_tags()
        self.role = iam.Role(
            self,
            "Role",
            role_name=settings.name(ROLE),
            assumed_by=cast("iam.IPrincipal", trusted),
            max_session_duration=Duration.hours(1),
            permissions_boundary=boundary,
        )
        for statement in statements:
            self.role.add_to_policy(statement)
        acknowledge_wildcards(
            self, statements, "The prefixes of one attempt, one run, its base, and dependencies."
        )

    def assume_statement(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="BecomeAttempt",
            actions=["sts:AssumeRole", "sts:TagSession"],
            resources=[self.role.role_arn],
        )

    def _statements(self, access: Access) -> list[iam.PolicyStatement]:
        events = access.events_arn
        own = (f"runs/{RUN}/attempts/{ATTEMPT}/*", f"runs/{RUN}/warm/*")
        streams = [f"run/{RUN}", f"run/{RUN}/attempt/{ATTEMPT}"]
        readable = (f"runs/{RUN}/*", f"snapshots/{BASE}.*", "deps/*")
        return [
            iam.PolicyStatement(
                sid="PutOwnArtifacts",
                actions=["s3:PutObject"],
                resources=[access.objects_arn(key) for key in own],
            ),
            iam.PolicyStatement(
                sid="ReadOwnRun",
                actions=["s3:GetObject"],
                resources=[access.objects_arn(key) for key in readable],
            ),
            iam.PolicyStatement(
                sid="ListOwnRun",
                actions=["s3:ListBucket"],
                resources=[access.bucket_arn],
                conditions={"StringLike": {"s3:prefix": list(readable)}},
            ),
            iam.PolicyStatement(
                sid="AppendToOwnStream",
                actions=["dynamodb:PutItem"],
                resources=[events],
                conditions=_leading(streams[1:]),
            ),
            iam.PolicyStatement(
                sid="ReadOwnStreams",
                actions=["dynamodb:GetItem", "dynamodb:Query"],
                resources=[events],
                conditions=_leading(streams),
            ),
        ]


def _leading(streams: list[str]) -> dict[str, object]:
    """`ForAllValues` alone would also hold for a request that names no key."""
    return {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": streams},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
