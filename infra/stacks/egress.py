"""The way out of the agents' network, where a deployment allows one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Stack

from fanfold.settings import Proxy
from infra.constructs.access import Access
from infra.constructs.boundary import proxy_boundary
from infra.constructs.egress_proxy import EgressProxy
from infra.constructs.model_secrets import KEY, PASS, ModelSecrets
from infra.settings import MODEL_API

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from constructs import Construct

    from infra.settings import CloudSettings
    from infra.sources import Sources
    from infra.stacks.data import DataStack
    from infra.stacks.network import NetworkStack


class EgressStack(Stack):
    """The proxy, and for the Anthropic API the key that it alone holds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: CloudSettings,
        sources: Sources,
        data: DataStack,
        network: NetworkStack,
    ) -> None:
        super().__init__(scope, construct_id, description="fanfold: the way out of the network")
        access = Access(settings, data)
        with_key = settings.provider == "anthropic"
        self.secrets = (
            ModelSecrets(self, "ModelSecrets", settings=settings, key=data.key)
            if with_key
            else None
        )
        self.proxy = EgressProxy(
            self,
            "Proxy",
            settings=settings,
            network=network.network,
            context=sources.image_context(),
            environment=Proxy(
                allow=tuple(host for host in settings.egress if host != MODEL_API),
                key_secret=settings.name(KEY) if with_key else "",
                pass_secret=settings.name(PASS) if with_key else "",
            ).environment(),
            boundary=cast("iam.IManagedPolicy", proxy_boundary(self, settings)),
            statements=access.read_model_secrets() if with_key else [],
        )
