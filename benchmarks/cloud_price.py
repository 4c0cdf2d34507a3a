"""What a run costs in the cloud beside its tokens: counted in a run, priced by the price list.

20 attempts on Lambda and 5 on Fargate go through the real state machine, functions and stores, in
an account in memory; how long attempts take is the yardstick's: 3 and 30 minutes. The requests are
those of the run and of who follows it.
Prices are those of us-east-1 (AWS price pages, November 2026); `--on-demand` is without Spot.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from fanfold.adapters.local.script import Script, write_and_submit  # noqa: E402
from fanfold.run.state import Outcome  # noqa: E402
from functions.handling import logger  # noqa: E402
from infra.constructs.worker_fleet import CPU, MEMORY_MB  # noqa: E402
from infra.functions import ATTEMPT, CONTROL  # noqa: E402
from tests.kit.account import shared_clients  # noqa: E402
from tests.workflow.aws.cloud import deployed, drive  # noqa: E402
from tests.workflow.aws.machine import read  # noqa: E402
from tests.workflow.aws.scenarios import PARALLEL, Scenario  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.workflow.aws.cloud import Deployed

ON_LAMBDA, ON_FARGATE = 20, 5
LAMBDA_S, FARGATE_S, CONTROL_S = 180, 1800, 1.0
LIMIT = 0.20
GB_SECOND, REQUEST = 0.0000133334, 0.20 / 1e6
VCPU_HOUR, GB_HOUR, SPOT = 0.03238, 0.00356, 0.30
TRANSITION = 0.025 / 1000
WRITE, READ = 0.625 / 1e6, 0.125 / 1e6
PUT, GET = 0.005 / 1000, 0.0004 / 1000
WRITES = {"PutItem": 1, "UpdateItem": 1, "DeleteItem": 1, "TransactWriteItems": 2}
READS = {"GetItem", "Query"}
PUTS = {"PutObject", "ListObjectsV2", "CopyObject"}
GETS = {"GetObject", "HeadObject"}
STATES = ("Admit", "Decide", "Merge", "Verify", "Ask", "WriteBack", "Finish", "Reap")

Counts = Counter[str]


def scenario() -> Scenario:
    """Tasks that wait for none; those that document need no shell, and so no container."""
    titles = [f"Document part {number}" for number in range(ON_LAMBDA)]
    titles += [f"Write part {number}" for number in range(ON_FARGATE)]
    names = {title: f"docs/{title.replace(' ', '-')}.md" for title in titles}
    script = Script.of({title: write_and_submit({name: "x\n"}) for title, name in names.items()})
    tasks = "".join(f"- [ ] Task: {title}\n" for title in titles)
    return Scenario(PARALLEL + tasks, lambda _: script, Outcome.COMPLETED, {}, cap=100_000_000)


@contextmanager
def counted() -> Generator[Counts]:
    """Requests of every client, and the units that those of DynamoDB take by their size."""
    from moto.core.botocore_stubber import BotocoreStubber

    counts: Counts = Counter()
    answer: Any = BotocoreStubber.__call__

    def call(stubber: Any, event_name: str, request: Any, **more: Any) -> Any:
        operation = event_name.rpartition(".")[2]
        response = answer(stubber, event_name, request, **more)
        counts[operation] += 1
        if operation in WRITES:
            counts["write units"] += WRITES[operation] * ceil(len(request.body or b"") / 1024)
        elif operation in READS:
            counts["read units"] += max(ceil(len(response.content) / 4096), 1)
        return response

    with patch.object(BotocoreStubber, "__call__", call):
        yield counts


def count() -> tuple[Counts, Counts]:
    """The requests, and the transitions of the state machine by state, of one run."""
    with tempfile.TemporaryDirectory() as folder, deployed(scenario(), Path(folder)) as deployment:
        with counted() as requests:
            told = drive(deployment)
        assert told.state.outcome is Outcome.COMPLETED, told.state.outcome
        return requests, _transitions(deployment)


def _transitions(deployment: Deployed) -> Counts:
    """From the history of the run, and by the way that each of its items goes."""
    client = shared_clients().state_machines
    found: Counts = Counter()
    for execution in client.list_executions(stateMachineArn=deployment.state_machine)["executions"]:
        pages: Any = client.get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=execution["executionArn"]):
            entered = (event.get("stateEnteredEventDetails") for event in page["events"])
            found.update(detail["name"] for detail in entered if detail)
    for place, attempts in (("lambda", ON_LAMBDA), ("spot", ON_FARGATE)):
        found.update(dict.fromkeys(_way(place), attempts))
    return found


def _way(place: str) -> list[str]:
    """The states of an item that goes well; its history is its own, and not kept in memory."""
    processor = read()["States"]["Dispatch"]["ItemProcessor"]
    name, way = processor["StartAt"], list[str]()
    while name:
        state = processor["States"][name]
        way.append(name)
        choices = {c["StringEquals"]: c["Next"] for c in state.get("Choices", [])}
        name = choices.get(place) or state.get("Default") or state.get("Next")
    return way


def prices(requests: Counts, transitions: Counts, *, spot: bool = True) -> dict[str, float]:
    """Dollars by what they are paid for.

    A control function is taken to work for a second; one is called for each append, to project it.
    """
    appends = requests["PutItem"] + requests["TransactWriteItems"]
    calls = sum(transitions[state] for state in STATES) + requests["AssumeRole"] + appends
    memory_gb = max(size.memory_mb for size in CONTROL.values()) / 1024
    fargate = CPU / 1024 * VCPU_HOUR + MEMORY_MB / 1024 * GB_HOUR
    return {
        "attempts on Lambda": ON_LAMBDA * LAMBDA_S * ATTEMPT.memory_mb / 1024 * GB_SECOND,
        "attempts on Fargate": ON_FARGATE * FARGATE_S / 3600 * fargate * (SPOT if spot else 1),
        "control functions": calls * (CONTROL_S * memory_gb * GB_SECOND + REQUEST),
        "transitions": sum(transitions.values()) * TRANSITION,
        "DynamoDB": requests["write units"] * WRITE + requests["read units"] * READ,
        "S3": sum(requests[o] for o in PUTS) * PUT + sum(requests[o] for o in GETS) * GET,
    }


def main() -> None:
    logger.setLevel("ERROR")
    requests, transitions = count()
    attempts = ON_LAMBDA + ON_FARGATE
    print(f"transitions: {transitions.total()}, {transitions.total() / attempts:.1f} an attempt")
    print(f"  {dict(transitions.most_common())}")
    for name, number in requests.most_common():
        print(f"{name:24} {number:6}, {number / attempts:6.1f} an attempt")
    total = 0.0
    for name, price in (found := prices(requests, transitions, spot=not sys.argv[1:])).items():
        print(f"{name:24} ${price:.4f}")
        total += price
    own = total - found["attempts on Lambda"] - found["attempts on Fargate"]
    print(f"{'beside compute':24} ${own:.4f}")
    print(f"{'all but tokens':24} ${total:.4f}")
    if total > LIMIT:
        sys.exit(f"above ${LIMIT:.2f}")


if __name__ == "__main__":
    main()
