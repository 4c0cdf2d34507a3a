"""Typed settings: `fanfold.toml`, then the environment on top. The only reader of either.

Every field of a section can be set as `FANFOLD_<SECTION>_<FIELD>`, for example
`FANFOLD_LIMITS_RUN_USD=5`; lists are JSON there.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bedrock import checked_routing
from fanfold.errors import InvalidSettings
from fanfold.run.attempt import RoleRules
from fanfold.run.events import CheckSpec
from fanfold.run.money import from_dollars
from fanfold.settings.deployed import (
    Builder,
    Deployment,
    Offer,
    Proxy,
    Worker,
    builder,
    deployment,
    deployment_of,
    offer,
    offer_of,
    own_version,
    proxy,
    worker,
)
from fanfold.settings.reading import PREFIX, aws_region, converted, environment, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "fanfold.toml"
__all__ = [
    "Builder",
    "Deployment",
    "Offer",
    "Proxy",
    "Worker",
    "aws_region",
    "builder",
    "deployment",
    "deployment_of",
    "environment",
    "offer",
    "offer_of",
    "own_version",
    "proxy",
    "worker",
]
PROVIDERS = ("anthropic", "bedrock", "scripted")


class Prepare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Commands that set up the environment once per lockfile, and the hosts they may reach.

    `secrets` are variables of the user's environment that they find in theirs.
    """

    commands: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command that must exit 0; an advisory one (`required = false`) is only shown."""

    command: str
    required: bool = True
    timeout_s: float = 600.0


class Checks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`unit` checks run on an attempt's tree when it submits, `run` checks on the merged tree."""

    unit: tuple[str | Check, ...] = ()
    run: tuple[str | Check, ...] = ()


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hard bounds; `run_usd` is the cap of a run and has no default."""

    run_usd: float | str | None = None
    attempt_usd: float | str = 1.0
    concurrency: int = 8
    attempts: int = 3
    steps: int = 100
    minutes: float = 60.0
    command_s: float = 60.0


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model that plays the agents. `prices` are dollars per million tokens by usage class.

    `region` and `routing` are Bedrock's: where it is called, and the inference profile by which;
    empty stands for that of the AWS profile, and for the geography of the region.
    """

    provider: str = "anthropic"
    name: str = "claude-sonnet-5-5"
    effort: dict[str, str] = {}
    roles: dict[str, str] = {}
    prices: dict[str, dict[str, float]] = {}
    timeout_s: float = 120.0
    script: str = ""
    region: str = ""
    routing: str = ""

    @property
    def scripted(self) -> bool:
        """Whether a script plays the agents, free and without a key."""
        return self.provider == "scripted" or bool(self.script)

    @property
    def played_by(self) -> str:
        """The provider, after what a script overrides."""
        return "scripted" if self.scripted else self.provider


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hosts that commands of an attempt may reach."""

    allow: tuple[str, ...] = ()


class ContextRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Globs of files that are never put into a context bundle."""

    deny: tuple[str, ...] = ()


class Cloud(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The deployment that carries out runs with `--engine aws`.

    The names of its stacks begin with `stack`. `project` is what the repository is called there,
    else its name at `origin`; `image` is what its deployment must be built on. An empty `region` or
    `profile` is the AWS packages' to find. Whoever follows a run looks every `look_s` seconds, and
    bears with a lost connection for `patience_s`.
    """

    stack: str = ""
    region: str = ""
    profile: str = ""
    project: str = ""
    image: str = ""
    look_s: float = 1.0
    patience_s: float = 300.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be configured."""

    prepare: Prepare = Prepare()
    checks: Checks = Checks()
    limits: Limits = Limits()
    model: Model = Model()
    network: Network = Network()
    context: ContextRules = ContextRules()
    roles: dict[str, RoleRules] = {}
    cloud: Cloud = Cloud()

    @property
    def cap(self) -> int | None:
        """The configured cap of a run in micro-dollars; None where there is none."""
        return None if self.limits.run_usd is None else _micros("run_usd", self.limits.run_usd)

    @property
    def slice(self) -> int:
        """An attempt's slice in micro-dollars."""
        return _micros("attempt_usd", self.limits.attempt_usd)

    def run_checks(self, commands: tuple[str, ...] = ()) -> tuple[CheckSpec, ...]:
        """The run's checks.

        `commands` from the command line where given, else the configured ones.
        """
        return tuple(_spec(c) for c in (commands or self.checks.run))

    def unit_checks(self) -> tuple[CheckSpec, ...]:
        return tuple(_spec(c) for c in self.checks.unit)


class Credentials(msgspec.Struct, frozen=True):
    """What the model API needs; never printed."""

    api_key: str | None = None
    auth_token: str | None = None
    base_url: str | None = None

    def __bool__(self) -> bool:
        return bool(self.api_key or self.auth_token)

    def __repr__(self) -> str:
        return f"Credentials({'set' if self else 'missing'}, base_url={self.base_url!r})"


class BedrockAccess(msgspec.Struct, frozen=True):
    """What the environment says of Bedrock beside the AWS credentials; never printed."""

    base_url: str | None = None
    bearer_token: str | None = None

    def __repr__(self) -> str:
        return f"BedrockAccess(base_url={self.base_url!r})"


def load(root: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the repository at `root`.

    Raises:
        InvalidSettings: naming the file or variable, the place and what belongs there.
    """
    return _settled(_read(root / FILE), environment() if environ is None else environ)


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings where there is no repository to read them from. Raises `InvalidSettings`."""
    return _settled({}, environment() if environ is None else environ)


def _settled(raw: dict[str, Any], environ: Mapping[str, str]) -> Settings:
    """`raw` with the environment's overrides, checked."""
    for section, kind in _sections().items():
        table = raw.get(section, {})
        overrides = _overrides(section, kind, environ)
        if overrides and isinstance(table, dict):
            raw[section] = {**table, **overrides}
    settings = converted(raw, Settings, FILE)
    _check_amounts(settings)
    return settings


def credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """The model API's key and address, as `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL` say."""
    environ = environment() if environ is None else environ
    return Credentials(
        environ.get("ANTHROPIC_API_KEY") or None,
        environ.get("ANTHROPIC_AUTH_TOKEN") or None,
        environ.get("ANTHROPIC_BASE_URL") or None,
    )


def bedrock_access(environ: Mapping[str, str] | None = None) -> BedrockAccess:
    """Bedrock's address and API key; AWS credentials and region are left to the AWS packages."""
    environ = environment() if environ is None else environ
    return BedrockAccess(
        environ.get("ANTHROPIC_BEDROCK_BASE_URL")
        or environ.get("AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
        or None,
        environ.get("AWS_BEARER_TOKEN_BEDROCK") or None,
    )


def wants_no_colour() -> bool:
    """Whether `NO_COLOR` is set, to whatever but nothing (no-color.org)."""
    return bool(environment().get("NO_COLOR"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"{path.name}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"{path.name}: {error}") from None
    except OSError as error:
        raise InvalidSettings(f"{path.name} cannot be read: {error.strerror}") from None


def _sections() -> dict[str, type[msgspec.Struct]]:
    return {
        "prepare": Prepare,
        "checks": Checks,
        "limits": Limits,
        "model": Model,
        "network": Network,
        "context": ContextRules,
        "cloud": Cloud,
    }


def _overrides(
    section: str, kind: type[msgspec.Struct], environ: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        key = f"{PREFIX}{section}_{field.name}".upper()
        if key in environ:
            found[field.name] = converted(value_of(environ[key], field.type), field.type, key)
    return found


def _spec(check: str | Check) -> CheckSpec:
    if isinstance(check, str):
        return CheckSpec(check)
    return CheckSpec(check.command, check.required, check.timeout_s)


def _micros(field: str, value: float | str) -> int:
    try:
        return from_dollars(str(value))
    except ValueError as error:
        raise InvalidSettings(f"{FILE}: limits.{field}: {error}") from None


def _check_amounts(settings: Settings) -> None:
    _ = settings.cap, settings.slice
    if settings.model.provider not in PROVIDERS:
        raise InvalidSettings(
            f"{FILE}: model.provider {settings.model.provider!r} is none of {', '.join(PROVIDERS)}"
        )
    checked_routing(settings.model.routing)
    _check_roles(settings)
    limits = settings.limits
    for name in ("concurrency", "attempts", "steps", "minutes", "command_s"):
        if getattr(limits, name) <= 0:
            raise InvalidSettings(f"{FILE}: limits.{name} must be above 0")


def _check_roles(settings: Settings) -> None:
    if settings.roles:
        from fanfold.agent.roles import role_names

        for name in settings.roles.keys() - set(role_names()):
            there = ", ".join(role_names())
            raise InvalidSettings(f"{FILE}: roles.{name}: no such role; there are {there}")
