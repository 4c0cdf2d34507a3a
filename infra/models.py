"""The ARNs under which the models of a deployment may be called on Bedrock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from infra.settings import CloudSettings

CALLS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]


def profile_arns(settings: CloudSettings) -> list[str]:
    """The inference profiles by which the models are called; none where they are so themselves."""
    if settings.routing == "none":
        return []
    here = f"arn:aws:bedrock:{Aws.REGION}:{Aws.ACCOUNT_ID}:inference-profile"
    return [f"{here}/{settings.routing}.{model}" for model in settings.models]


def model_arns(settings: CloudSettings) -> list[str]:
    """Each model in every region that a call may be routed to.

    A global profile routes to a model of no region, and checks the caller's own as well.
    """
    regions = settings.routed_to or (Aws.REGION,)
    if settings.routing == "global":
        regions = (Aws.REGION, "")
    return [
        f"arn:aws:bedrock:{region}::foundation-model/{model}"
        for model in settings.models
        for region in regions
    ]


def call_statements(settings: CloudSettings) -> list[iam.PolicyStatement]:
    """The profiles, and the models only by way of them; nothing where Bedrock is not called."""
    if settings.provider != "bedrock":
        return []
    profiles, models = profile_arns(settings), model_arns(settings)
    if not profiles:
        return [iam.PolicyStatement(sid="CallModel", actions=CALLS, resources=models)]
    by_profile = {"StringEquals": {"bedrock:InferenceProfileArn": profiles}}
    return [
        iam.PolicyStatement(sid="CallProfile", actions=CALLS, resources=profiles),
        iam.PolicyStatement(
            sid="CallModel", actions=CALLS, resources=models, conditions=by_profile
        ),
    ]
