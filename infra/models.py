"""The ARNs under which the one model of a deployment may be called on Bedrock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws

if TYPE_CHECKING:
    from infra.settings import CloudSettings

CALLS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]


def model_arns(settings: CloudSettings) -> list[str]:
    """The inference profile, and the model in every region to which it may route a call."""
    if settings.routing == "none":
        return [_model(Aws.REGION, settings.model)]
    profile = f"inference-profile/{settings.routing}.{settings.model}"
    own = f"arn:aws:bedrock:{Aws.REGION}:{Aws.ACCOUNT_ID}:{profile}"
    return [own, *(_model(region, settings.model) for region in settings.model_regions)]


def _model(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"
