"""What a deployment is called and how much of it there is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from fanfold.bedrock import DEFAULT_MODEL, GEOGRAPHIES

if TYPE_CHECKING:
    from constructs import Node

LABEL = "^[a-z][a-z0-9-]*$"

Positive = Annotated[int, msgspec.Meta(ge=1)]
ModelId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+\.[a-z0-9.:-]+$")]
Region = Annotated[str, msgspec.Meta(pattern="^[a-z]+-[a-z]+-[0-9]$")]
Host = Annotated[str, msgspec.Meta(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=255)]
PrefixList = Annotated[str, msgspec.Meta(pattern="^pl-[0-9a-f]+$")]
LogDays = Literal[7, 14, 30, 60, 90, 180, 365]


MODEL_API = "api.anthropic.com"
_NOWHERE = frozenset({"global", "none"})


class Profile(StrEnum):
    """How much compute is deployed: `lite` is functions alone, `full` adds containers."""

    LITE = "lite"
    FULL = "full"


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The CDK context of fanfold; every name in the account derives from `project` and `stage`.

    At most `run_slots` runs execute at once, each with at most `concurrency` attempts.
    `reserved_concurrency` is each attempt function's; 0 reserves none, as a fresh account must.
    On Bedrock, each of `models` is called through the inference profile `<routing>.<model>`, which
    may send a call to any of `model_regions`, by default those of the routing; with the routing
    `none` it is called in its own region. The `provider` anthropic needs `egress`.
    `egress` are the hosts that workers reach, all through the proxy; none by default.
    Containers and the check function are built on `base_image`, a Debian or an Ubuntu for arm64.
    `prefix_lists` are those of S3 and DynamoDB in this region, which `make deploy` looks up.
    """

    project: Annotated[str, msgspec.Meta(pattern=LABEL, max_length=12)] = "fanfold"
    stage: Annotated[str, msgspec.Meta(pattern=LABEL, max_length=8)] = "dev"
    profile: Profile = Profile.LITE
    run_slots: Positive = 4
    concurrency: Positive = 8
    reserved_concurrency: Annotated[int, msgspec.Meta(ge=0)] = 0
    provider: Literal["bedrock", "anthropic"] = "bedrock"
    models: Annotated[tuple[ModelId, ...], msgspec.Meta(min_length=1)] = (DEFAULT_MODEL,)
    routing: Literal["us", "eu", "jp", "au", "apac", "us-gov", "global", "none"] = "us"
    model_regions: tuple[Region, ...] = ()
    egress: tuple[Host, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    base_image: Annotated[str, msgspec.Meta(pattern=r"^$|^[a-z0-9][\w./:@-]*$")] = ""
    monthly_usd: Positive = 100
    alert_email: Annotated[str, msgspec.Meta(pattern="^$|^[^@ ]+@[^@ ]+$")] = ""
    log_days: LogDays = 90

    def __post_init__(self) -> None:
        wanted = self.run_slots * self.concurrency
        if self.reserved_concurrency and self.reserved_concurrency < wanted:
            raise ValueError(
                f"reserved_concurrency {self.reserved_concurrency} is below the {wanted} attempts "
                f"of {self.run_slots} runs × {self.concurrency}; raise it, or set it to 0"
            )

        if self.provider == "anthropic" and MODEL_API not in self.egress:
            raise ValueError(
                f"provider 'anthropic' is reached through the proxy alone: add {MODEL_API!r} to"
                " `egress`, or take the provider 'bedrock', which needs none"
            )
        if self.provider == "bedrock" and not self.routed_to and self.routing not in _NOWHERE:
            raise ValueError(
                f"routing {self.routing!r} leads to regions that fanfold does not know: name them"
                " in `model_regions` (`aws bedrock get-inference-profile` tells them)"
            )

    @property
    def routed_to(self) -> tuple[str, ...]:
        """The regions that a call may be routed to; none where any is or none other."""
        return self.model_regions or GEOGRAPHIES.get(self.routing, ())

    def image_arguments(self) -> dict[str, str] | None:
        """What images of workers and checks are built with."""
        return {"BASE": self.base_image} if self.base_image else None

    def name(self, part: str) -> str:
        """The name of a part of this deployment, unique in its account and region."""
        return f"{self.project}-{self.stage}-{part}"

    def tags(self) -> dict[str, str]:
        """What every resource that can carry tags says about itself."""
        return {"project": self.project, "stage": self.stage, "profile": self.profile.value}


def from_context(node: Node) -> CloudSettings:
    """Read the settings from the CDK context (`-c stage=prod`).

    Raises `msgspec.ValidationError` for a value that does not fit, `msgspec.DecodeError` for a list
    that is no JSON.
    """
    given = {key: node.try_get_context(key) for key in CloudSettings.__struct_fields__}
    return msgspec.convert(
        {key: _plain(value) for key, value in given.items() if value is not None}, CloudSettings
    )


def _plain(value: object) -> object:
    """Numbers and lists come as text from the command line, and as themselves from `cdk.json`."""
    if not isinstance(value, str) or not value or value[0] not in "[0123456789":
        return value
    return msgspec.json.decode(value)
