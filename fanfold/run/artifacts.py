"""The artifact keys: the same on disk, below `.ai-workspace/`, and in a bucket."""

from __future__ import annotations


def run_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/{name}"


def attempt_file(run_id: str, attempt: str, epoch: int, name: str) -> str:
    return f"runs/{run_id}/attempts/{attempt}/{epoch}/{name}"


def merge_file(run_id: str, seq: int, suffix: str) -> str:
    return f"runs/{run_id}/merges/{seq}.{suffix}"


def verify_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/verify/{name}"


def result_file(run_id: str, name: str) -> str:
    return f"runs/{run_id}/result/{name}"
