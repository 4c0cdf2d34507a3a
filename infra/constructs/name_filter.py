"""Which names the agents' network resolves: a question to any other would itself be a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_route53resolver as resolver
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.settings import CloudSettings

STORES = ("s3", "*.s3", "dynamodb", "*.ddb")
OF_PROXY = ("api.ecr", "*.dkr.ecr", "logs", "secretsmanager")
"""What a proxy starts with; its subnet has no endpoints of its own."""
NAMES = {
    "BedrockRuntime": ("bedrock-runtime",),
    "EcrApi": ("api.ecr",),
    "EcrDkr": ("*.dkr.ecr",),
    "Lambda": ("lambda",),
    "Logs": ("logs",),
    "StepFunctions": ("states",),
    "XRay": ("xray",),
}
FIRST, LAST = 100, 200
AMONG_OTHERS = 101


class NameFilter(Construct):
    """A firewall for the network's resolver, paid for by the million questions.

    Where an allowed name leads to is not asked again: services answer with names of their own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        vpc_id: str,
        services: Iterable[str],
    ) -> None:
        """`services` are those with an interface endpoint, as the endpoints are called."""
        super().__init__(scope, construct_id)
        self._settings = settings
        allowed = self._domains("Allowed", allowed_names(settings, services))
        others = self._domains("Others", ["*"])
        rule = resolver.CfnFirewallRuleGroup.FirewallRuleProperty
        group = resolver.CfnFirewallRuleGroup(
            self,
            "Rules",
            name=settings.name("names"),
            firewall_rules=[
                rule(
                    priority=FIRST,
                    action="ALLOW",
                    firewall_domain_list_id=allowed.attr_id,
                    firewall_domain_redirection_action="TRUST_REDIRECTION_DOMAIN",
                ),
                rule(
                    priority=LAST,
                    action="BLOCK",
                    block_response="NXDOMAIN",
                    firewall_domain_list_id=others.attr_id,
                ),
            ],
        )
        resolver.CfnFirewallRuleGroupAssociation(
            self,
            "Association",
            name=settings.name("names"),
            firewall_rule_group_id=group.attr_id,
            priority=AMONG_OTHERS,
            vpc_id=vpc_id,
        )

    def _domains(self, construct_id: str, domains: Sequence[str]) -> resolver.CfnFirewallDomainList:
        return resolver.CfnFirewallDomainList(
            self,
            construct_id,
            name=self._settings.name(f"{construct_id.lower()}-names"),
            domains=list(domains),
        )


def allowed_names(settings: CloudSettings, services: Iterable[str]) -> list[str]:
    """Stores, services with an endpoint, and where there is a way out what lies beyond it."""
    regional = [*STORES, *(name for service in services for name in NAMES[service])]
    beyond: list[str] = []
    if settings.egress:
        regional += OF_PROXY
        beyond = [f"*.{settings.project}-{settings.stage}.internal", *settings.egress]
    here = [f"{name}.{Aws.REGION}.amazonaws.com" for name in dict.fromkeys(regional)]
    return [*here, *beyond]
