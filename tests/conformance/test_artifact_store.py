"""What every artifact store does."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fanfold.errors import ArtifactCorrupt, ArtifactMissing, FanfoldError
from tests.fakes.stores import BACKENDS, Stores

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from fanfold.ports import ArtifactStore

KEY = "runs/r1/attempts/1.1/1/patch.diff"


@pytest.fixture(params=list(BACKENDS))
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Stores]:
    with BACKENDS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def store(stores: Stores) -> ArtifactStore:
    return stores.artifacts()


@pytest.mark.parametrize("data", [b"", b"\x00\xff\r\n", b"x" * 3_000_000])
def test_what_was_put_is_got(stores: Stores, data: bytes) -> None:
    digest = stores.artifacts().put(KEY, data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert stores.artifacts().get(KEY) == data
    assert stores.artifacts().get(KEY, digest) == data


def test_a_put_replaces(store: ArtifactStore) -> None:
    store.put(KEY, b"long former content")
    digest = store.put(KEY, b"new")
    assert store.get(KEY, digest) == b"new"
    assert store.list("runs") == [KEY]


def test_another_content_than_expected_is_corrupt(store: ArtifactStore) -> None:
    digest = store.put(KEY, b"one")
    store.put(KEY, b"two")
    with pytest.raises(ArtifactCorrupt, match=r"patch\.diff"):
        store.get(KEY, digest)


@pytest.mark.parametrize("key", [KEY, "runs/r1", "runs/r1/attempts/1.1/1/patch.diff/deeper"])
def test_what_is_not_there_is_missing(store: ArtifactStore, key: str) -> None:
    store.put("runs/r1/attempts/1.1/1/report.json", b"{}")
    assert not store.exists(key)
    with pytest.raises(ArtifactMissing, match=key):
        store.get(key)


def test_existence_follows_put_and_delete(store: ArtifactStore) -> None:
    store.put(KEY, b"x")
    assert store.exists(KEY)
    assert store.delete(KEY) == 1
    assert not store.exists(KEY)


def test_keys_are_listed_sorted_below_a_prefix(store: ArtifactStore) -> None:
    keys = ["runs/r1/b.json", "runs/r1/a/z.json", "runs/r10/a.json", "snapshots/c.pack"]
    for key in reversed(keys):
        store.put(key, b"x")
    assert store.list("") == sorted(keys)
    assert store.list("runs") == store.list("runs/") == sorted(keys[:3])
    assert store.list("runs/r1") == store.list("runs/r1/") == sorted(keys[:2])
    assert store.list("runs/r1/b.json") == ["runs/r1/b.json"]
    assert store.list("runs/r2") == []


def test_deleting_takes_a_folder_and_nothing_else(store: ArtifactStore) -> None:
    for key in ("runs/r1/a", "runs/r1/b/c", "runs/r10/a", "runs/r1x"):
        store.put(key, b"x")
    assert store.delete("runs/r1") == 2
    assert store.list("") == ["runs/r10/a", "runs/r1x"]
    assert store.delete("runs/r1") == 0


def test_deleting_spares_the_payloads_of_logs(store: ArtifactStore) -> None:
    payload = "runs/r1/attempts/1.1/events/0123.json"
    store.put(payload, b"{}")
    store.put(KEY, b"x")
    assert store.delete("runs/r1") == 1
    assert store.list("runs") == [payload]


def test_nobody_deletes_everything(store: ArtifactStore) -> None:
    store.put(KEY, b"x")
    with pytest.raises(FanfoldError, match="refusing"):
        store.delete("")
    assert store.exists(KEY)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "..", "runs/../../x", "runs//x", "./x", "runs/x/", "a\x00b", "a\nb"],
)
def test_a_key_must_be_a_plain_relative_path(store: ArtifactStore, key: str) -> None:
    with pytest.raises(FanfoldError, match="no artifact key"):
        store.put(key, b"x")
    with pytest.raises(FanfoldError, match="no artifact key"):
        store.get(key)


def test_a_log_is_never_overwritten(store: ArtifactStore) -> None:
    for name in ("events.jsonl", "events.lock"):
        with pytest.raises(FanfoldError, match="a log's"):
            store.put(f"runs/r1/attempts/1.1/{name}", b"x")


@pytest.mark.parametrize("prefix", ["..", "runs/../..", "/etc"])
def test_a_prefix_must_be_a_plain_relative_path(store: ArtifactStore, prefix: str) -> None:
    with pytest.raises(FanfoldError, match="no artifact key"):
        store.list(prefix)
    with pytest.raises(FanfoldError, match="no artifact key"):
        store.delete(prefix)


@pytest.mark.parametrize("key", ["runs/r 1/ü 🎉.json", "runs/r1/%2e%2e", "runs/r1/.hidden"])
def test_unusual_names_are_plain_keys(store: ArtifactStore, key: str) -> None:
    store.put(key, b"x")
    assert store.list("runs") == [key]
    assert store.get(key) == b"x"


def test_readers_never_see_half_an_artifact(stores: Stores) -> None:
    contents = [bytes([n]) * 200_000 for n in range(8)]
    store = stores.artifacts()
    store.put(KEY, contents[0])

    def write(content: bytes) -> None:
        for _ in range(5):
            stores.artifacts().put(KEY, content)

    def read(_: int) -> bool:
        return all(store.get(KEY) in contents for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        writes, reads = pool.map(write, contents), pool.map(read, range(4))
        assert all(reads)
        assert len(list(writes)) == 8
    assert store.list("runs") == [KEY]
