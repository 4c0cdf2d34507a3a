"""The state machine of the repository, as it is deployed into an account in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[3]
ASL = ROOT / "statemachines" / "run.asl.json"
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
ROLES = sorted(file.stem for file in (ROOT / "roles").glob("*.md"))


def _by_role(kind: str) -> str:
    return ",".join(f"{role}={kind}-{role}" for role in ROLES)


SUBSTITUTES = {
    "Cluster": "cluster",
    "WorkerTaskDefinitions": _by_role("worker"),
    "BuilderTaskDefinition": "builder",
    "WorkerSubnets": "subnet-1,subnet-2",
    "WorkerSecurityGroup": "sg-1",
    "AttemptFunctions": _by_role("attempt"),
}


def read() -> dict[str, Any]:
    return msgspec.json.decode(ASL.read_bytes())


def placeholders() -> set[str]:
    return set(PLACEHOLDER.findall(ASL.read_text("utf-8")))


def function_of(placeholder: str) -> str:
    """`WriteBackFunction` is write_back."""
    name = placeholder.removesuffix("Function")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def deployable() -> str:
    """With everything substituted, and without long pauses.

    moto's grammar takes a percentage for a decimal only.
    """
    text = PLACEHOLDER.sub(lambda m: SUBSTITUTES.get(m[1]) or function_of(m[1]), ASL.read_text())
    text = re.sub(r'"IntervalSeconds": \d+', '"IntervalSeconds": 1', text)
    text = re.sub(r'"MaxDelaySeconds": \d+', '"MaxDelaySeconds": 2', text)
    text = re.sub(r'"Seconds": \d+', '"Seconds": 0', text)
    return re.sub(r'("ToleratedFailurePercentage": \d+)', r"\1.0", text)
