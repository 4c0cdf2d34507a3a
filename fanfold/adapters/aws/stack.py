"""What a stack tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, InvalidSettings

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients

_NOT_SET_UP = frozenset(
    {"NoCredentialsError", "NoRegionError", "PartialCredentialsError", "ProfileNotFound"}
)


def read_outputs(clients: Clients, name: str) -> dict[str, str]:
    """The outputs of the stack `name`.

    Raises:
        InvalidSettings: no such stack in this account and region, or no credentials for them.
        CloudError: AWS does not tell.
    """
    try:
        with translated(f"look at stack {name!r}"):
            found = clients.stacks.describe_stacks(StackName=name)["Stacks"][0]
    except CloudError as error:
        if error.code in _NOT_SET_UP:
            raise InvalidSettings(str(error)) from None
        if error.code == "ValidationError":
            raise InvalidSettings(
                f"no stack {name!r} in region {clients.stacks.meta.region_name}: deploy one (see "
                "docs/deploy.md), or set `stack` and `region` in [cloud] of fanfold.toml"
            ) from None
        raise
    return {o.get("OutputKey", ""): o.get("OutputValue", "") for o in found.get("Outputs", ())}
