"""What the functions load: the model's client takes seconds, and none but a worker needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAVY = {"anthropic", "genai_prices", "httpx2", "rich", "pydantic"}
HANDLERS = sorted(
    f.stem for f in (ROOT / "functions").glob("*.py") if "def handler(" in f.read_text("utf-8")
)
WORKERS = {"attempt", "check"}
OF_WORKERS = {"pygit2", "fanfold.agent.loop", "fanfold.plan.reader"}
PROGRAM = """\
import importlib, sys
for name in sys.argv[1:]:
    assert callable(importlib.import_module(f"functions.{name}").handler)
print(*sys.modules)
"""


def loaded(*names: str) -> set[str]:
    words = (sys.executable, "-c", PROGRAM, *names)
    told = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return set(told.split())


def test_no_function_loads_the_models_client() -> None:
    assert HEAVY.isdisjoint(loaded(*HANDLERS))


def test_control_functions_load_what_a_step_needs_with_the_step() -> None:
    found = loaded(*(name for name in HANDLERS if name not in WORKERS))
    assert "boto3" in found
    assert OF_WORKERS.isdisjoint(found)


def test_handlers_are_short() -> None:
    for name in HANDLERS:
        lines = (ROOT / "functions" / f"{name}.py").read_text("utf-8").splitlines()
        assert len(lines) <= 45, name
