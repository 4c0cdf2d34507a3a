"""What a deployment tells its functions, containers and users of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, get_type_hints

import msgspec

from fanfold.errors import InvalidSettings
from fanfold.run.offer import Offered
from fanfold.settings.reading import PREFIX, converted, environment, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_S = TypeVar("_S", bound=msgspec.Struct)


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What the templates tell a function about the account it runs in; ARNs end in their names.

    Field by field this is the function's environment, `FANFOLD_DEPLOYMENT_<FIELD>`.
    """

    events_table: str
    projections_table: str
    coordination_table: str
    artifact_bucket: str
    event_bus: str
    state_machine: str
    grant_function: str = ""
    session_role: str = ""
    pass_secret: str = ""
    check_function: str = ""
    answer_function: str = ""
    version: str = ""
    base_image: str = ""
    role: str = ""
    profile: str = "full"
    run_slots: int = 4
    concurrency: int = 8

    def environment(self) -> dict[str, str]:
        """The environment that `deployment` reads back."""
        fields = msgspec.structs.asdict(self)
        return {_key(Deployment, name): str(value) for name, value in fields.items()}

    def outputs(self) -> dict[str, str]:
        """The outputs of its stack that `deployment_of` reads back; what is empty has none."""
        return _outputs(self)


class Offer(Offered, frozen=True, kw_only=True):
    """What a deployment can do; its functions read it as `FANFOLD_OFFER_<FIELD>`."""

    def environment(self) -> dict[str, str]:
        """The environment that `offer` reads back."""
        fields = msgspec.structs.asdict(self)
        return {_key(Offer, name): _text(value) for name, value in fields.items()}

    def outputs(self) -> dict[str, str]:
        """The outputs of its stack that `offer_of` reads back."""
        return _outputs(self)


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """What the proxy lets through: the hosts `allow`, and calls to the model API at `upstream`.

    `key_secret` and `pass_secret` name secrets: that API's key, and what passes are sealed with.
    Field by field this is the proxy's environment, `FANFOLD_PROXY_<FIELD>`.
    """

    allow: tuple[str, ...] = ()
    key_secret: str = ""
    pass_secret: str = ""
    upstream: str = "https://api.anthropic.com"

    def environment(self) -> dict[str, str]:
        """The environment that `proxy` reads back."""
        fields = {**msgspec.structs.asdict(self), "allow": msgspec.json.encode(self.allow).decode()}
        return {_key(Proxy, name): value for name, value in fields.items()}


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine tells a container: its attempt, the key to it, and who waits for it.

    It is waited for `timeout_s`, and lets itself be heard every `heartbeat_s`.
    """

    run_id: str
    attempt: str
    task_token: str
    key: str = ""
    timeout_s: float = 4200.0
    heartbeat_s: float = 60.0

    def __repr__(self) -> str:
        return f"Worker({self.run_id!r}, {self.attempt!r})"


class Builder(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine tells the container that prepares a tree: the layer's digest, whose
    run needs it. Field by field this is its environment, `FANFOLD_BUILDER_<FIELD>`.
    """

    run_id: str
    generation: int
    tree: str
    digest: str


def deployment(environ: Mapping[str, str] | None = None) -> Deployment:
    """Where this function is deployed. Raises `InvalidSettings` for what is missing or misfits."""
    return _told(Deployment, environ)


def offer(environ: Mapping[str, str] | None = None) -> Offer | None:
    """What this deployment can do, where this function is told. Raises `InvalidSettings`."""
    environ = environment() if environ is None else environ
    told = any(_key(Offer, name) in environ for name in get_type_hints(Offer))
    return _told(Offer, environ) if told else None


def worker(environ: Mapping[str, str] | None = None) -> Worker:
    """What this container is for. Raises `InvalidSettings` for what is missing or misfits."""
    return _told(Worker, environ)


def builder(environ: Mapping[str, str] | None = None) -> Builder:
    """What this container is to prepare. Raises `InvalidSettings`."""
    return _told(Builder, environ)


def proxy(environ: Mapping[str, str] | None = None) -> Proxy:
    """What this proxy lets through. Raises `InvalidSettings` for what misfits."""
    return _told(Proxy, environ)


def deployment_of(outputs: Mapping[str, str]) -> Deployment:
    """The deployment that the outputs of its stack tell. Raises `InvalidSettings`."""
    return _put_out(Deployment, outputs)


def offer_of(outputs: Mapping[str, str]) -> Offer:
    """What the deployment with these outputs can do. Raises `InvalidSettings`."""
    return _put_out(Offer, outputs)


def own_version() -> str:
    """The version of this fanfold."""
    from importlib.metadata import version

    return version("fanfold")


def _told(kind: type[_S], environ: Mapping[str, str] | None) -> _S:
    """A struct of which each field is a variable `FANFOLD_<STRUCT>_<FIELD>`."""
    environ = environment() if environ is None else environ
    keys = {name: _key(kind, name) for name in get_type_hints(kind)}
    required = {f.name for f in msgspec.structs.fields(kind) if f.required}
    missing = [keys[name] for name in sorted(required) if not environ.get(keys[name])]
    if missing:
        raise InvalidSettings(f"not set in the environment: {', '.join(missing)}")
    types = get_type_hints(kind)
    given = {n: value_of(environ[key], types[n]) for n, key in keys.items() if key in environ}
    return converted(given, kind, f"{PREFIX}{kind.__name__}_*".upper())


def _key(kind: type[msgspec.Struct], name: str) -> str:
    return f"{PREFIX}{kind.__name__}_{name}".upper()


def _put_out(kind: type[_S], outputs: Mapping[str, str]) -> _S:
    kinds = {_output(kind, name): (name, each) for name, each in get_type_hints(kind).items()}
    given = {name: value_of(outputs[o], each) for o, (name, each) in kinds.items() if o in outputs}
    return converted(given, kind, "the outputs of the deployment")


def _outputs(told: msgspec.Struct) -> dict[str, str]:
    texts = {name: _text(value) for name, value in msgspec.structs.asdict(told).items()}
    return {_output(type(told), name): text for name, text in texts.items() if text}


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _output(kind: type[msgspec.Struct], name: str) -> str:
    return kind.__name__ + "".join(word.title() for word in name.split("_"))
