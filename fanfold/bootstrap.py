"""Wiring: explicit constructor calls, nothing at import. Tests pass fakes in place of any part."""

from __future__ import annotations

import os
import platform
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fanfold.adapters.git.repository import open_repository
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.adapters.local.lease import FileLease
from fanfold.adapters.local.workspace_dir import NAME, prepare_workspace_dir
from fanfold.bedrock import bedrock_id, routing_of
from fanfold.errors import InvalidSettings, MissingKey, SandboxUnavailable
from fanfold.run.access import BY_PROVIDER, HARNESS, MODEL_SECRETS
from fanfold.settings import (
    Credentials,
    Settings,
    bedrock_access,
    credentials,
    environment,
    load,
)
from fanfold.steps.keyring import Keyring, secrets_of_prepare
from fanfold.steps.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fanfold.adapters.claude.bedrock import BedrockModel
    from fanfold.adapters.git.repository import GitRepository
    from fanfold.adapters.git.workspaces import GitWorkspaces
    from fanfold.adapters.local.sandbox import Bubblewrap, NoSandbox
    from fanfold.ports import (
        ArtifactStore,
        Checks,
        Clock,
        EventStore,
        Lease,
        ModelFactory,
        Prices,
        SecretScanner,
    )


@dataclass(frozen=True)
class Project:
    """One repository with its settings and logs: what every command that names a run needs."""

    root: Path
    repository: GitRepository
    settings: Settings
    workspace_dir: Path
    clock: Clock
    events: EventStore
    artifacts: ArtifactStore

    @property
    def name(self) -> str:
        return self.root.name

    def prepare(self) -> None:
        """Make `.ai-workspace/`, and keep its machine-made folders out of the user's commits."""
        prepare_workspace_dir(self.root)


def open_project(directory: Path, *, unborn: bool = False) -> Project:
    """The project that `directory` lies in; `unborn` allows a repository without a commit.

    Raises:
        InvalidRepository: not a repository, or one without a commit.
        InvalidSettings: a fanfold.toml that does not say what it must.
    """
    repository = open_repository(directory, unborn=unborn)
    root = repository.root
    clock = SystemClock()
    folder = root / NAME
    artifacts = FileArtifactStore(folder)
    events = JsonlEventStore(folder, root.name, clock, artifacts)
    return Project(root, repository, load(root), folder, clock, events, artifacts)


def local(
    project: Project,
    *,
    sandbox: bool = True,
    events: EventStore | None = None,
    models: ModelFactory | None = None,
    prices: Prices | None = None,
) -> Wiring:
    """The ports of a run on this machine.

    Raises:
        SandboxUnavailable: no sandbox works here and `sandbox` was not turned off.
        MissingKey: the model API needs a key and there is none.
    """
    from fanfold.adapters.git.deferred import DeferredCheckouts
    from fanfold.adapters.local.checks import TreeChecks

    settings, keyring = project.settings, Keyring(environment().get)
    keys = model_keys(settings, keyring)
    workspaces = workspaces_of(project.repository, settings, sandbox=sandbox, keyring=keyring)
    stop, halt = threading.Event(), threading.Event()
    return Wiring(
        events=events or project.events,
        artifacts=project.artifacts,
        lease=local_lease(project),
        clock=project.clock,
        repository=project.repository,
        workspaces=DeferredCheckouts(workspaces),
        checks=TreeChecks(workspaces, lambda: stop.is_set() or halt.is_set()),
        models=models or models_of(settings, keys),
        prices=prices or prices_of(settings),
        secrets=secret_scanner(keyring.given),
        has_shell=True,
        stop=stop,
        halt=halt,
        secret_reads=keyring.decided,
    )


def model_keys(settings: Settings, keyring: Keyring) -> Credentials:
    """What the configured model is called with, read by its names; nothing for a script."""
    names = BY_PROVIDER.get(settings.model.played_by, ())
    read = {name: keyring.read(HARNESS, name) or "" for name in names}
    return credentials({**environment(), **dict.fromkeys(MODEL_SECRETS, ""), **read})


def workspaces_of(
    repository: GitRepository,
    settings: Settings,
    *,
    sandbox: bool,
    keyring: Keyring | None = None,
) -> GitWorkspaces:
    """Workspaces on trees of `repository`, each with what `[prepare]` makes.

    Only the commands of `[prepare]` reach its hosts and find its secrets. Raises
    `SandboxUnavailable`, `AccessDenied`, or `MissingKey` for a secret that is not there.
    """
    from fanfold.adapters.git.base import MAX_STORED_BYTES
    from fanfold.adapters.git.workspaces import GitWorkspaces
    from fanfold.adapters.local.prepare import Checkout, Layers

    home = cache_folder()
    keyring = keyring or Keyring(environment().get)
    wanted = settings.prepare.secrets if settings.prepare.commands else ()
    granted = secrets_of_prepare(keyring, wanted)
    sandboxed = _sandbox(sandbox, settings.prepare.network, granted)
    preparing = GitWorkspaces(
        repository, home / "workspaces", sandboxed, max_file_bytes=MAX_STORED_BYTES
    )

    def open_checkout(tree: str) -> Checkout:
        return cast("Checkout", preparing.open(tree, shell=True, name="prepare"))  # noqa: S604

    contained = _sandbox(sandbox, settings.network.allow)
    layers = Layers(
        home / "layers",
        open_checkout,
        settings.prepare.commands,
        can_overlay=contained.can_overlay,
        redact=secret_scanner(keyring.given).redact,
    )
    return GitWorkspaces(
        repository,
        home / "workspaces",
        contained,
        furnish=layers.furnish,
    )


def prepare_environment(project: Project, tree: str, *, sandbox: bool) -> None:
    """Make what `[prepare]` asks for on `tree`, unless it is there already.

    Raises `PrepareFailed` or `SandboxUnavailable`.
    """
    workspaces = workspaces_of(project.repository, project.settings, sandbox=sandbox)
    try:
        workspaces.open(tree, shell=True, name="prepared").close()  # noqa: S604
    finally:
        workspaces.close()


def registries_of(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The hosts that commands of `[prepare]` and of agents may reach here, patterns left out; and
    the kinds of registries whose address here holds a password, which no sandbox is told.
    """
    from fanfold.adapters.local.registries import KINDS, has_password, registry_hosts

    names = (*settings.prepare.network, *settings.network.allow)
    shut = [n for n in names if n in KINDS and has_password(KINDS[n].address(environment()))]
    hosts = registry_hosts(names, environment())
    return tuple(host for host in hosts if "*" not in host), tuple(shut)


def clean_environments(unused_s: float = 7 * 24 * 3600.0) -> int:
    """Remove what `[prepare]` made and nothing used for so long; gives how many layers went."""
    from fanfold.adapters.local.prepare import clean_layers

    return clean_layers(cache_folder() / "layers", unused_s)


def cache_folder() -> Path:
    """Where workspaces live: outside every repository, so that no tool in one finds its parents."""
    base = environment().get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fanfold"


def holder() -> str:
    """A name for this process as the owner of leases."""
    return f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def checks_of(repository: GitRepository, *, sandbox: bool) -> Checks:
    """Check commands on trees of `repository`, prepared as its fanfold.toml says.

    Raises `SandboxUnavailable`.
    """
    from fanfold.adapters.local.checks import TreeChecks

    settings = load(repository.root)
    return TreeChecks(workspaces_of(repository, settings, sandbox=sandbox))


def secret_scanner(known: Mapping[str, str] | None = None) -> SecretScanner:
    """Finds and redacts secrets, those that are `known` by name wherever they stand."""
    from fanfold.adapters.local.secrets import Secrets

    return Secrets(known)


def local_lease(project: Project) -> Lease:
    """The leases of this machine."""
    return FileLease(project.workspace_dir, project.clock)


def require_model(settings: Settings) -> None:
    """Raises `InvalidSettings` for a script that cannot be played, and what `require_key` does."""
    if settings.model.script:
        _scripted(settings)
    require_key(settings)


def require_key(settings: Settings) -> None:
    """Raises `MissingKey` when the model API needs a key and there is none."""
    if settings.model.scripted:
        return
    if settings.model.provider == "bedrock":
        _bedrock(settings)
    elif not credentials():
        raise MissingKey("no key for the model API: set ANTHROPIC_API_KEY")


def models_of(settings: Settings, keys: Credentials) -> ModelFactory:
    """The model that plays the agents.

    Raises:
        MissingKey: the Anthropic API without ANTHROPIC_API_KEY, Bedrock without AWS credentials.
        InvalidSettings: a script that cannot be played, Bedrock without a region.
    """
    if settings.model.script:
        return _scripted(settings)
    if settings.model.provider == "bedrock":
        model = _bedrock(settings)
        return lambda _: model
    require_key(settings)
    from fanfold.adapters.claude.messages import ClaudeModel

    model = ClaudeModel(
        keys.api_key,
        auth_token=keys.auth_token,
        base_url=keys.base_url,
        silence_s=settings.model.timeout_s,
    )
    return lambda _: model


def prices_of(settings: Settings) -> Prices:
    """What tokens cost: the price data of a kept package, with the user's own prices on top."""
    if settings.model.scripted:
        from fanfold.adapters.local.scripted_model import ScriptedPrices

        return ScriptedPrices()
    from fanfold.adapters.claude.prices import ModelPrices

    if settings.model.provider != "bedrock":
        return ModelPrices(settings.model.prices)
    routing = _routing(settings)
    return ModelPrices(settings.model.prices, lambda name: bedrock_id(name, routing))


def _bedrock(settings: Settings) -> BedrockModel:
    from fanfold.adapters.claude.bedrock import BedrockModel

    access = bedrock_access()
    return BedrockModel(
        region=settings.model.region,
        routing=settings.model.routing,
        base_url=access.base_url,
        bearer_token=access.bearer_token,
        silence_s=settings.model.timeout_s,
    )


def _routing(settings: Settings) -> str:
    """By which inference profiles Bedrock's models are called; their prices differ."""
    if settings.model.routing:
        return settings.model.routing
    from fanfold.adapters.claude.bedrock import aws_session, region_of

    return routing_of(settings.model.region or region_of(aws_session()))


def _scripted(settings: Settings) -> ModelFactory:
    from fanfold.adapters.local.script import Script
    from fanfold.adapters.local.scripted_model import scripted

    try:
        return scripted(Script.from_json(Path(settings.model.script).read_bytes()))
    except OSError as error:
        problem = f"model.script: {settings.model.script}: {error.strerror}"
        raise InvalidSettings(problem) from None


def _sandbox(
    wanted: bool, hosts: Sequence[str] = (), secrets: Mapping[str, str] | None = None
) -> Bubblewrap | NoSandbox:
    from fanfold.adapters.local.sandbox import Bubblewrap, NoSandbox, harden_process

    harden_process()
    if not wanted:
        return NoSandbox(environment(), secrets=secrets)
    require_sandbox()
    return Bubblewrap(environment(), allow_hosts=hosts, secrets=secrets)


def require_sandbox() -> None:
    """Raises `SandboxUnavailable` where commands cannot be contained."""
    problem = no_sandbox_because()
    if problem:
        raise SandboxUnavailable(f"{problem}; or run with --no-sandbox, uncontained")


def no_sandbox_because() -> str | None:
    """Why commands cannot be contained here, and the mend; None where they can."""
    from fanfold.adapters.local.sandbox import Bubblewrap

    return Bubblewrap(environment()).available()
