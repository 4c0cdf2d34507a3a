"""Findings of the rules that are right where they are, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Aws, Validations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_iam as iam
    from constructs import Construct


def acknowledge(construct: Construct, *findings: tuple[str, str]) -> None:
    """Accept findings of the rules at this construct, each with the reason why it is right here."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in findings)
    )


def acknowledge_wildcards(
    construct: Construct, statements: Sequence[iam.PolicyStatement], reason: str
) -> None:
    """Accept the wildcards in the resources of just these statements."""
    found = {resource for statement in statements for resource in statement.resources}
    acknowledge(
        construct,
        *(
            (f"AwsSolutions-IAM5[Resource::{_plain(resource)}]", reason)
            for resource in sorted(found)
            if "*" in resource or "?" in resource
        ),
    )


def _plain(resource: str) -> str:
    """As the rules spell it: tokens and policy variables alike."""
    region = resource.replace(Aws.REGION, "<AWS::Region>")
    account = region.replace(Aws.ACCOUNT_ID, "<AWS::AccountId>")
    return account.replace("${", "<").replace("}", ">")
