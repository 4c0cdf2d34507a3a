"""What a deployment offers, and what a run asks of it that it cannot have there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.bedrock import NO_ROUTING, VENDOR, bedrock_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanfold.run.events import CheckSpec

MODEL_API = "api.anthropic.com"
BEDROCK = "bedrock"
AGAIN = "in cdk.json and deploy again"
LONGEST_CHECK_S = 780.0
"""A check that is cut off would be red, and a patch blamed for it."""


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """At most `attempts` at once, with `models` of the `provider`; `egress` are hosts it reaches,
    and what commands find is on top of `base_image`, "" for the usual one.

    On Bedrock a model is called through the inference profile of the `routing`; "" is not told.
    """

    profile: str
    provider: str
    models: tuple[str, ...]
    attempts: int
    routing: str = ""
    egress: tuple[str, ...] = ()
    base_image: str = ""


def model_problem(offer: Offered, models: Iterable[str]) -> str | None:
    """Why the first of `models` that cannot be called there cannot, and what to change."""
    if offer.provider == BEDROCK:
        wrong = next((m for m in models if not _is_callable(m, offer)), None)
        return None if wrong is None else _not_deployed(wrong, offer)
    if MODEL_API not in offer.egress:
        return (
            "this deployment calls the Anthropic API, and its egress leads nowhere near it: "
            f'add "{MODEL_API}" to `egress` {AGAIN}'
        )
    wrong = next((m for m in models if VENDOR in m), None)
    if wrong is None:
        return None
    return (
        f"model {wrong!r} is one of Bedrock, and this deployment calls the Anthropic API: name it "
        f"as there ({wrong.partition(VENDOR)[2]}), by --model or [model] in fanfold.toml"
    )


def out_of_reach(offer: Offered, hosts: Iterable[str]) -> list[str]:
    """Those of `hosts` that no worker of the deployment reaches."""
    return [host for host in hosts if not any(_covers(wide, host) for wide in offer.egress)]


def prepare_problem(offer: Offered | None, hosts: Iterable[str], *, containers: bool) -> str | None:
    """Why an environment cannot be made there, whose commands may reach `hosts`, and the mend."""
    if not containers:
        return (
            "[prepare] is carried out in a container, and this deployment has the profile lite, "
            "which has none: deploy the profile full, or set FANFOLD_PREPARE_COMMANDS='[]' for "
            "checks that need nothing prepared"
        )
    missing = out_of_reach(offer, hosts) if offer else []
    if not missing:
        return None
    named = ", ".join(missing)
    return (
        f"[prepare] may reach {named}, and no container of this deployment does: add "
        f"{msgspec.json.encode(missing).decode()} to `egress` {AGAIN}, or take it out of `network` "
        "in [prepare] of fanfold.toml"
    )


def image_problem(offer: Offered | None, image: str) -> str | None:
    """Why commands would not find there what is in `image`, and the mend; "" asks for none."""
    if not image or offer is None or image == offer.base_image:
        return None
    return (
        f"this repository's commands need the image {image!r}, and this deployment is built on "
        f'{offer.base_image or "the usual one"!r}: deploy one with "base_image": "{image}" '
        "(docs/deploy.md) and name its `stack` in [cloud] of fanfold.toml"
    )


def check_problem(checks: Iterable[CheckSpec]) -> str | None:
    """Why the first of `checks` that may outlast its function in the cloud is not run there."""
    late = next((c for c in checks if c.timeout_s > LONGEST_CHECK_S), None)
    if late is None:
        return None
    return (
        f"check {late.command!r} may take {late.timeout_s:g} s, and a check in the cloud is ended "
        f"after {LONGEST_CHECK_S:g} s: lower its timeout_s in fanfold.toml, or divide it"
    )


def _covers(wide: str, host: str) -> bool:
    """`*.example.com` stands for all below it."""
    return host == wide or (wide.startswith("*.") and host.endswith(wide[1:]))


def _is_callable(name: str, offer: Offered) -> bool:
    if not offer.routing:
        return _bare(name) in offer.models
    called = bedrock_id(name, offer.routing)
    through = "" if offer.routing == NO_ROUTING else f"{offer.routing}."
    return any(called == f"{through}{model}" for model in offer.models)


def _bare(name: str) -> str:
    """The model's id without the profile it is called through."""
    _, vendor, rest = bedrock_id(name, NO_ROUTING).rpartition(VENDOR)
    return f"{vendor}{rest}"


def _not_deployed(name: str, offer: Offered) -> str:
    known = ", ".join(model.removeprefix(VENDOR) for model in offer.models)
    if _bare(name) in offer.models:
        return (
            f"model {name!r} is called in another way than this deployment's: name it "
            f"{_bare(name).removeprefix(VENDOR)}, or set `routing` {AGAIN}"
        )
    more = f', or add "{_bare(name)}" to `models` {AGAIN}' if VENDOR in _bare(name) else ""
    return (
        f"model {name!r} is not one of this deployment's ({known}): take one of them, by --model "
        f"or [model] in fanfold.toml{more}"
    )
