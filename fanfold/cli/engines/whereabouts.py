"""Where runs of this repository went, as this machine remembers it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import FanfoldError
from fanfold.run.artifacts import batch_file, run_file
from fanfold.settings import aws_region

if TYPE_CHECKING:
    from fanfold.bootstrap import Project
    from fanfold.settings import Cloud

RECORD = "cloud.json"
DEFAULT_STACK = "fanfold-dev"
"""What the stacks are called that `make deploy` makes."""


class Place(msgspec.Struct, frozen=True):
    """A deployment, and what the repository is called there."""

    stack: str
    region: str
    profile: str
    project: str


class Whereabouts(msgspec.Struct, frozen=True):
    """A run, or a batch, that was handed to a deployment."""

    run_id: str
    place: Place
    asked_at: datetime


def place_of(project: Project, cloud: Cloud) -> Place:
    """The deployment that the settings name."""
    from fanfold.adapters.git.origin import origin_name

    name = cloud.project or origin_name(project.repository) or project.name
    region = cloud.region or aws_region()
    return Place(cloud.stack or DEFAULT_STACK, region, cloud.profile, name)


def remember(project: Project, run_id: str, place: Place) -> None:
    """Have every later command find the run where it went."""
    record = Whereabouts(run_id, place, project.clock.now())
    project.artifacts.put(run_file(run_id, RECORD), msgspec.json.encode(record))


def remember_batch(project: Project, batch_id: str, place: Place) -> None:
    """The same for a batch."""
    record = Whereabouts(batch_id, place, project.clock.now())
    project.artifacts.put(batch_file(batch_id, RECORD), msgspec.json.encode(record))


def remembered_batches(project: Project) -> list[Whereabouts]:
    """The batches that went into a cloud from here, the oldest first."""
    found = project.workspace_dir.glob(batch_file("*", RECORD))
    keys = (batch_file(file.parent.name, RECORD) for file in found)
    return sorted((_read(project, key) for key in keys), key=lambda w: w.asked_at)


def remembered(project: Project) -> list[Whereabouts]:
    """The runs that went into a cloud from here, the oldest first."""
    found = project.workspace_dir.glob(run_file("*", RECORD))
    keys = (run_file(file.parent.name, RECORD) for file in found)
    return sorted((_read(project, key) for key in keys), key=lambda w: w.asked_at)


def _read(project: Project, key: str) -> Whereabouts:
    try:
        return msgspec.json.decode(project.artifacts.get(key), type=Whereabouts)
    except msgspec.DecodeError as error:
        raise FanfoldError(f"{project.workspace_dir / key} is damaged: {error}") from None
