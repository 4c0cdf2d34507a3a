"""What the people of a team may do: ask for runs, follow them, answer, and take results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, CfnOutput
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.findings import acknowledge, acknowledge_wildcards
from infra.functions import BATCHES, REQUESTS, RUNS, SNAPSHOTS

if TYPE_CHECKING:
    from infra.constructs.access import Access
    from infra.settings import CloudSettings


ASKED_FOR = (
    *(f"{RUNS}*/plan.md", f"{RUNS}*/base.json", f"{BATCHES}*/batch.json"),
    *(SNAPSHOTS, REQUESTS),
)
BY_HAND = tuple(f"{RUNS}*/attempts/*/1/{name}" for name in ("patch.diff", "report.json"))
"""What `fanfold resolve` puts where an attempt would have: a conflict that a person settled."""


class UserAccess(Construct):
    """A managed policy for the users' own roles or groups.

    It changes no event and starts no execution: a word of a person goes through `answer`, and a run
    begins with its request, or with the event that its plan is ready.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: CloudSettings, access: Access
    ) -> None:
        super().__init__(scope, construct_id)
        statements = [
            access.describe_stack("control"),
            *(access.follow_runs(), access.see_executions(), access.use_key()),
            access.list_artifacts(),
            access.read_artifacts(RUNS, BATCHES, SNAPSHOTS, REQUESTS),
            access.write_artifacts(*ASKED_FOR, *BY_HAND),
            access.delete_artifacts(RUNS, BATCHES),
            access.tell_of_ready_plans(),
            *(access.invoke("answer"), _look_at_model(), _look_at_quotas()),
        ]
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=settings.name("user"),
            description="Ask fanfold for runs, follow and answer them, take their results",
            statements=statements,
        )
        acknowledge_wildcards(
            self.policy, statements, "Objects below prefixes, and executions of one state machine."
        )
        acknowledge(
            self.policy,
            ("AwsSolutions-IAM5[Resource::*]", "The account's quotas have no name."),
        )
        CfnOutput(scope, "UserPolicy", value=self.policy.managed_policy_arn)


def _look_at_model() -> iam.PolicyStatement:
    """For `fanfold doctor`; reading whether a model may be called, not calling it."""
    return iam.PolicyStatement(
        sid="LookAtModels",
        actions=["bedrock:GetFoundationModelAvailability", "bedrock:GetInferenceProfile"],
        resources=[
            "arn:aws:bedrock:*::foundation-model/anthropic.*",
            f"arn:aws:bedrock:*:{Aws.ACCOUNT_ID}:inference-profile/*",
        ],
    )


def _look_at_quotas() -> iam.PolicyStatement:
    """For `fanfold doctor`."""
    return iam.PolicyStatement(
        sid="LookAtQuotas", actions=["lambda:GetAccountSettings"], resources=["*"]
    )
