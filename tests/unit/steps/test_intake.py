"""What asks for runs from outside: one manifest and one name, whichever way; the rest refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.errors import ArtifactMissing, UserError
from fanfold.run.artifacts import request_file, run_file
from fanfold.run.events import RunLimits
from fanfold.steps.intake import PLAN_READY, Asked, accept, event_schema
from fanfold.steps.request import MANIFEST, Request, load_request, run_identity
from tests.fakes.memory import MemoryArtifactStore

PUBLISHED = Path(__file__).parents[3] / "docs" / "events" / f"{PLAN_READY}.schema.json"
DIGEST = "e" * 64
RUN = run_identity("demo", "main", "c" * 40, DIGEST)
REQUEST = Request(
    run_id=RUN,
    project="demo",
    plan_path="conductor/tracks/one/plan.md",
    plan_sha256=DIGEST,
    base="c" * 40,
    base_tree="d" * 40,
    branch="main",
    author=("Ada", "ada@localhost"),
    limits=RunLimits(cap=5_000_000),
    models={"": "a-model"},
)


def ready(**changes: Any) -> str:
    detail: dict[str, Any] = {**msgspec.to_builtins(REQUEST), **changes}
    detail.pop("run_id")
    kept = {name: value for name, value in detail.items() if value is not None}
    return json.dumps({"detail-type": PLAN_READY, "source": "ci", "detail": kept})


def written(key: str) -> str:
    return json.dumps({"detail-type": "Object Created", "detail": {"object": {"key": key}}})


@pytest.fixture
def artifacts() -> MemoryArtifactStore:
    return MemoryArtifactStore()


def test_an_event_and_a_manifest_ask_for_the_same_run(artifacts: MemoryArtifactStore) -> None:
    other = MemoryArtifactStore()
    other.put(request_file(RUN), msgspec.json.encode(REQUEST))
    asked = Asked(RUN)
    assert accept(written(f"requests/{RUN}.json"), other) == accept(ready(), artifacts) == asked
    one, two = load_request(other, RUN), load_request(artifacts, RUN)
    assert two == msgspec.structs.replace(one, options=two.options)
    assert two.options.engine == "aws"


def test_the_first_manifest_stays(artifacts: MemoryArtifactStore) -> None:
    accept(ready(), artifacts)
    accept(ready(limits={"cap": 9_000_000}), artifacts)
    assert load_request(artifacts, RUN).limits.cap == 5_000_000


def test_the_same_again_is_another_run_only_when_it_is_said(artifacts: MemoryArtifactStore) -> None:
    names = {accept(ready(rerun=rerun), artifacts).name for rerun in ("", "", "1", "2")}
    assert len(names) == 3


def test_a_manifest_that_was_handed_in_whole_needs_no_other(artifacts: MemoryArtifactStore) -> None:
    artifacts.put(run_file(RUN, MANIFEST), msgspec.json.encode(REQUEST))
    assert accept(written(f"requests/{RUN}.json"), artifacts) == Asked(RUN)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "not an event"),
        ("[]", "not an event"),
        ('{"detail-type": "Order Shipped", "detail": {}}', "Order Shipped"),
        (written("requests/../runs.json"), "is no manifest"),
        (written("runs/0123456789/base.json"), "is no manifest"),
        ('{"detail-type": "Object Created", "detail": {}}', "is no manifest"),
        (ready(plan_path=None), "plan_path"),
        (ready(base="main"), "`base` is no id: 'main'"),
        (ready(plan_sha256="x"), "plan_sha256"),
        (ready(limits={"cap": 0}), "0 < slice <= cap"),
        (ready(limits={"cap": 5, "slice": 6}), "0 < slice <= cap"),
        (ready(limits={"cap": 5, "slice": 5, "wave": 101}), "0 < wave <= 100"),
        (ready(limits={"cap": "much"}), "limits.cap"),
        (ready(models={}), "names no model"),
        (ready(rerun=7), "`rerun` is no text"),
        (ready(budget=5), "unknown field 'budget'"),
    ],
)
def test_what_asks_for_no_run_is_refused_with_the_reason(
    message: str, reason: str, artifacts: MemoryArtifactStore
) -> None:
    with pytest.raises(UserError, match=reason):
        accept(message, artifacts)
    assert artifacts.list("") == []


@pytest.mark.parametrize("manifest", [b"{}", b"\xff", msgspec.json.encode(REQUEST)])
def test_a_manifest_under_a_name_that_is_not_its_own_is_refused(
    manifest: bytes, artifacts: MemoryArtifactStore
) -> None:
    artifacts.put("requests/0123456789.json", manifest)
    with pytest.raises(UserError, match=r"requests/0123456789\.json"):
        accept(written("requests/0123456789.json"), artifacts)


def test_a_manifest_that_is_gone_is_said_to_be(artifacts: MemoryArtifactStore) -> None:
    with pytest.raises(ArtifactMissing):
        accept(written("requests/0123456789.json"), artifacts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(msgspec.to_builtins(REQUEST))), JSON)
@settings(max_examples=60, deadline=None)
def test_any_event_is_accepted_or_refused_in_one_line(name: str, value: Any) -> None:
    store = MemoryArtifactStore()
    said = ""
    try:
        run_id = accept(ready(**{name: value}), store).name
        assert load_request(store, run_id).run_id == run_id
    except UserError as error:
        said = str(error)
    assert "\n" not in said


def test_the_published_schema_is_that_of_the_program() -> None:
    assert json.loads(PUBLISHED.read_text("utf-8")) == json.loads(json.dumps(event_schema()))
