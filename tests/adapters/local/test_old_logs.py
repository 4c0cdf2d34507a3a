"""Logs that earlier versions wrote: each stays readable, whole, for good."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.run.events import payload, recorded
from tests.fakes.memory import ManualClock

LOGS = sorted((Path(__file__).parent / "logs").glob("*.jsonl"))


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_an_old_log_is_read_without_a_loss(tmp_path: Path, log: Path) -> None:
    (tmp_path / "events").mkdir()
    shutil.copy(log, tmp_path / "events" / "events.jsonl")
    store = JsonlEventStore(tmp_path, "demo", ManualClock())
    (stream,) = store.streams()
    envelopes = store.read(stream)
    assert store.skipped_lines == 0
    assert len(envelopes) == len(log.read_bytes().splitlines())
    for envelope in envelopes:
        event = recorded(envelope)
        assert event is not None, envelope.event_type
        understood = json.loads(json.dumps(payload(event.data)))
        assert holds(understood, envelope.data), envelope.event_type


def holds(whole: Any, part: Any) -> bool:
    """Whether `part` is in `whole`, which may have further fields at any depth."""
    if isinstance(part, dict):
        fields = cast("dict[str, Any]", part)
        return all(name in whole and holds(whole[name], fields[name]) for name in fields)
    if isinstance(part, list):
        items = cast("list[Any]", part)
        return len(whole) == len(items) and all(map(holds, whole, items))
    return whole == part
