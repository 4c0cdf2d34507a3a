"""The artifact keys: the same on disk, below `.ai-workspace/`, and in a bucket."""

from __future__ import annotations

QUEUE = "queue/"
WAITING = "waiting/"
REQUESTS = "requests/"
BATCH_REQUESTS = f"{REQUESTS}batches/"
UNDER_WAY = "under-way/"
DEPENDENCIES = "deps/"


def run_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/{name}"


def attempt_file(run_id: str, attempt: str, epoch: int, name: str) -> str:
    return f"runs/{run_id}/attempts/{attempt}/{epoch}/{name}"


def merge_file(run_id: str, seq: int, suffix: str) -> str:
    return f"runs/{run_id}/merges/{seq}.{suffix}"


def verify_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/verify/{name}"


def gate_file(run_id: str, gate: str) -> str:
    """What a person who decides a gate looks at."""
    return f"runs/{run_id}/gates/{gate}.diff"


def result_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/result/{name}"


def git_folder(run_id: str) -> str:
    """The git objects that the run's own steps made, in packs."""
    return f"runs/{run_id}/git"


def batch_file(batch_id: str, name: str) -> str:
    return f"batches/{batch_id}/{name}"


def token_file(run_id: str) -> str:
    """What lets the execution of a run go on that waits for a person."""
    return f"{WAITING}{run_id}"


def under_way_file(batch_id: str) -> str:
    """A batch that somebody has to look after."""
    return f"{UNDER_WAY}{batch_id}"


def queue_file(when: str, run_id: str) -> str:
    """A run that waits for a slot; in the order of `when`, a sortable time."""
    return f"{QUEUE}{when}-{run_id}"


def snapshot_file(oid: str, suffix: str) -> str:
    """A commit or a tree with all its files; the `idx` is written last."""
    return f"snapshots/{oid}.{suffix}"


def layer_file(digest: str, suffix: str) -> str:
    """What `[prepare]` made; the `json` is written last."""
    return f"{DEPENDENCIES}{digest}.{suffix}"


def prepared_file(run_id: str, tree: str) -> str:
    """What there is prepared for a tree of the run."""
    return run_file(run_id, f"prepared/{tree}.json")


def request_file(run_id: str) -> str:
    """What starts a run by appearing."""
    return f"{REQUESTS}{run_id}.json"


def batch_request_file(batch_id: str) -> str:
    """What starts a batch by appearing."""
    return f"{BATCH_REQUESTS}{batch_id}.json"
