"""What a deployment is called and how much of it there is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec

if TYPE_CHECKING:
    from constructs import Node

LABEL = "^[a-z][a-z0-9-]*$"


class Profile(StrEnum):
    """How much compute is deployed: `lite` is functions alone, `full` adds containers."""

    LITE = "lite"
    FULL = "full"


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The CDK context of fanfold; every name in the account derives from `project` and `stage`."""

    project: Annotated[str, msgspec.Meta(pattern=LABEL, max_length=12)] = "fanfold"
    stage: Annotated[str, msgspec.Meta(pattern=LABEL, max_length=8)] = "dev"
    profile: Profile = Profile.LITE

    def name(self, part: str) -> str:
        """The name of a part of this deployment, unique in its account and region."""
        return f"{self.project}-{self.stage}-{part}"

    def tags(self) -> dict[str, str]:
        """What every resource that can carry tags says about itself."""
        return {"project": self.project, "stage": self.stage, "profile": self.profile.value}


def from_context(node: Node) -> CloudSettings:
    """Read the settings from the CDK context (`-c stage=prod`).

    Raises `msgspec.ValidationError` for a value that does not fit.
    """
    given = {key: node.try_get_context(key) for key in CloudSettings.__struct_fields__}
    return msgspec.convert(
        {key: value for key, value in given.items() if value is not None}, CloudSettings
    )
