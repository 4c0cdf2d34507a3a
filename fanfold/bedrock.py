"""Names of Claude models on Amazon Bedrock: a model, and the profile that routes a call to it.

Current models answer to inference profiles alone, `<routing>.<model>`: one that keeps calls within
a geography, at a tenth above the list price, or `global`, at the list price. With the routing
`none` a model is called by its own id, in its own region.
"""

from __future__ import annotations

from fanfold.errors import InvalidSettings

VENDOR = "anthropic."
DEFAULT_MODEL = VENDOR + "claude-sonnet-5-5"
GLOBAL = "global"
GEOGRAPHIES: dict[str, tuple[str, ...]] = {
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "eu": ("eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
}
NO_ROUTING = "none"
ROUTINGS = (*GEOGRAPHIES, "apac", "us-gov", GLOBAL, NO_ROUTING)
_PREFIXES = {"us-gov-": "us-gov", "us-": "us", "eu-": "eu"}


def bedrock_id(name: str, routing: str) -> str:
    """The id to call `name` by: `claude-sonnet-5-5` by the profile of `routing`.

    What is a Bedrock id or an ARN already stays as it is.
    """
    if not name.startswith("claude-"):
        return name
    return f"{VENDOR}{name}" if routing == NO_ROUTING else f"{routing}.{VENDOR}{name}"


def routing_of(region: str) -> str:
    """The routing that keeps calls from `region` in its geography, or `global` without one."""
    for routing, regions in GEOGRAPHIES.items():
        if region in regions:
            return routing
    return next((r for prefix, r in _PREFIXES.items() if region.startswith(prefix)), GLOBAL)


def checked_routing(routing: str) -> str:
    """`routing`, or nothing for that of the region. Raises `InvalidSettings` for another word."""
    if routing and routing not in ROUTINGS:
        known = ", ".join(ROUTINGS)
        raise InvalidSettings(f"fanfold.toml: model.routing {routing!r} is none of {known}")
    return routing
