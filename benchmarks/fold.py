"""How long 100,000 run events take to read and fold, and what an append to their log costs.

The log is that of 200 runs with 186 units each. Reading and folding is timed as the best of five
whole processes, their start included, and as a ratio to `python -c pass`; the fold alone as the
best of five in this process. Exits 1 when a bound is broken.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.run.attempt import CheckResult, Exit, Purpose
from fanfold.run.events import (
    Applied,
    AttemptDispatched,
    AttemptFinished,
    CheckSpec,
    EventData,
    MergeCompleted,
    PlanWrittenBack,
    RunAdmitted,
    RunCompleted,
    RunLimits,
    RunRequested,
    TaskSpec,
    UnitSpec,
    VerificationPassed,
    recorded,
    run_stream,
)
from fanfold.run.evolve import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS, RUNS, WAVE = 100_000, 200, 3
ROUNDS = 5
BOUND, APPEND_BOUND, FOLD_BOUND_S = 110.0, 3.0, 1.0
CHECK = "uv run pytest -q"


def main() -> int:
    if len(sys.argv) > 1:
        return fold_all(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = append_seconds(folder / "empty", "run/x")
        write(folder / "full")
        full = append_seconds(folder / "full", "run/x")
        size = (folder / "full/events/events.jsonl").stat().st_size
        bare = min(process_seconds("-c", "pass") for _ in range(ROUNDS))
        whole = min(process_seconds(__file__, str(folder / "full")) for _ in range(ROUNDS))
        folding = min(fold_seconds(folder / "full") for _ in range(ROUNDS))
    print(f"{EVENTS} events, {size / 1e6:.0f} MB: read and folded in {whole:.2f} s", end="")
    print(f", ratio {whole / bare:.0f} to python -c pass (at most {BOUND:g})")
    print(f"the fold alone takes {folding:.2f} s (at most {FOLD_BOUND_S:g})")
    print(
        f"an append takes {full * 1e3:.2f} ms, {full / empty:.1f} times that to an empty log",
        end="",
    )
    print(f" (at most {APPEND_BOUND:g})")
    kept = whole <= BOUND * bare and folding <= FOLD_BOUND_S and full <= APPEND_BOUND * empty
    return 0 if kept else 1


def process_seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def fold_all(folder: Path) -> int:
    store = JsonlEventStore(folder, "demo", SystemClock())
    folded = 0
    for stream in store.streams("run/"):
        folded += fold(r for e in store.read(stream) if (r := recorded(e))).version
    return 0 if folded >= EVENTS else 1


def fold_seconds(folder: Path) -> float:
    """Seconds to type and fold all events that were read before."""
    store = JsonlEventStore(folder, "demo", SystemClock())
    streams = [store.read(stream) for stream in store.streams("run/")]
    started = time.perf_counter()
    for envelopes in streams:
        fold(r for e in envelopes if (r := recorded(e)))
    return time.perf_counter() - started


def append_seconds(folder: Path, stream: str) -> float:
    store = JsonlEventStore(folder, "demo", SystemClock())
    version = store.append(stream, 0, [RunCompleted(verified=True)])[-1].version
    taken: list[float] = []
    for _ in range(50):
        started = time.perf_counter()
        version = store.append(stream, version, [RunCompleted(verified=True)])[-1].version
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def write(folder: Path) -> None:
    store = JsonlEventStore(folder, "demo", SystemClock())
    for number in range(RUNS):
        run = f"20260101-{number:04}"
        events = list(run_events(run, EVENTS // RUNS))
        store.append(run_stream(run), 0, events)


def run_events(run: str, count: int) -> Iterator[EventData]:
    """A whole run in exactly `count` events: waves of units, each merged and verified."""
    units = tuple(
        f"{n // 10 + 1}.{n % 10 + 1}" for n in range((count - 4) * WAVE // (2 * WAVE + 2))
    )
    yield RunRequested(
        run_id=run, plan="conductor/tracks/t/plan.md", plan_sha256="0" * 64, base=sha(0)
    )
    yield RunAdmitted(
        base_tree=sha(0),
        units=tuple(UnitSpec(u, (u,), order=n, title=f"Task {u}") for n, u in enumerate(units)),
        tasks=tuple(TaskSpec(u, f"Task {u}", "1", "work", "open", 1) for u in units),
        limits=RunLimits(cap=10**9),
        checks=(CheckSpec(CHECK),),
    )
    written = 2
    for seq, start in enumerate(range(0, len(units), WAVE), 1):
        wave = list(wave_events(seq, units[start : start + WAVE]))
        written += len(wave)
        yield from wave
    while written < count - 2:
        yield VerificationPassed(seq=written, tree=sha(written), checks=())
        written += 1
    yield PlanWrittenBack(
        branch=f"fanfold/{run}",
        tip=sha(1),
        tree=sha(2),
        merged_tree=sha(3),
        commits={u: sha(n) for n, u in enumerate(units)},
    )
    yield RunCompleted(verified=True)


def wave_events(seq: int, units: tuple[str, ...]) -> Iterator[EventData]:
    for unit in units:
        yield AttemptDispatched(
            attempt=f"{unit}.1",
            unit=unit,
            number=1,
            role="implementer",
            purpose=Purpose.WORK,
            placement="local",
            slice=1_000_000,
            base_tree=sha(seq - 1),
            generation=1,
        )
    for unit in units:
        yield AttemptFinished(
            attempt=f"{unit}.1",
            unit=unit,
            outcome=Exit.SUBMITTED,
            cost=123_456,
            tree=sha(seq),
            epoch=1,
            patch=f"runs/r/attempts/{unit}.1/1/patch.diff",
        )
    yield MergeCompleted(
        seq=seq,
        base_tree=sha(seq - 1),
        tree=sha(seq),
        applied=tuple(Applied(f"{unit}.1", unit, sha(seq)) for unit in units),
    )
    result = CheckResult(CHECK, ok=True, baseline_ok=True, duration_s=1.5, output_tail="12 passed")
    yield VerificationPassed(seq=seq, tree=sha(seq), checks=(result,))


def sha(number: int) -> str:
    return f"{number:040x}"


if __name__ == "__main__":
    sys.exit(main())
