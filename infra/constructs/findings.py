"""Findings of the rules that are right where they are, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from constructs import Construct


def acknowledge(construct: Construct, *findings: tuple[str, str]) -> None:
    """Accept findings of the rules at this construct, each with the reason why it is right here."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in findings)
    )
