"""mini-swe-agent as it ships: its templates, its one tool, its breakpoints.

It is heavy, so it is not installed: `uv` fetches it, and this file runs in a process of its own. It
gives commands without a model (`play`), or goes through litellm to an API (`wire`), or counts
tokens by litellm's tokenizer of Claude (`count`).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

RIVAL = "mini-swe-agent==2.4.6"
MODEL = "anthropic/claude-sonnet-5-5"
STEPS, LINES = 40, 120
TASK = "Make part 7 shout, and its tests.\n" * 20


def command(step: int) -> str:
    if step == STEPS - 1:
        return "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
    return f"sed -n {step + 1},{step + 40}p part{step % 8}.py"


def thought(step: int) -> str:
    return f"Step {step}: I look at part {step % 8} to see how its neighbours call it. " * 4


def make_files(folder: Path) -> None:
    for number in range(8):
        lines = (f"def part{number}_{n}(): return {n}\n" for n in range(LINES))
        (folder / f"part{number}.py").write_text("".join(lines))


def play(folder: Path, commands: list[str], path: str) -> float:
    """Seconds of an attempt in `folder` that gives these commands, one a step."""
    agents = importlib.import_module("minisweagent.agents.default")
    local = importlib.import_module("minisweagent.environments.local")
    models = importlib.import_module("minisweagent.models.test_models")
    config = _shipped()
    model = models.DeterministicToolcallModel(
        outputs=[_output(models, step, said) for step, said in enumerate(commands)],
        observation_template=config["model"]["observation_template"],
    )
    env = {**config["environment"]["env"], "PATH": path}
    environment = local.LocalEnvironment(cwd=str(folder), env=env, timeout=120)
    shipped = {k: config["agent"][k] for k in ("system_template", "instance_template")}
    shipped |= {"cost_limit": 0.0, "output_path": folder / "trajectory.json"}
    agent = agents.DefaultAgent(model, environment, **shipped)
    started = time.perf_counter()
    agent.run(TASK)
    return time.perf_counter() - started


def _shipped(config: str = "mini.yaml") -> dict[str, Any]:
    yaml = importlib.import_module("yaml")
    package = importlib.import_module("minisweagent")
    return yaml.safe_load((Path(package.__file__ or "").parent / "config" / config).read_text())


def _output(models: Any, step: int, said: str) -> dict[str, Any]:
    action = {"command": said, "tool_call_id": f"toolu_{step}"}
    arguments = json.dumps({"command": said})
    call = {"id": f"toolu_{step}", "function": {"name": "bash", "arguments": arguments}}
    return models.make_toolcall_output(thought(step), [call], [action])


def wire(folder: Path, url: str, config: str, path: str, task: str) -> None:
    """One attempt in `folder` with the model at `url`, set up by one of its configurations."""
    agents = importlib.import_module("minisweagent.agents.default")
    local = importlib.import_module("minisweagent.environments.local")
    models = importlib.import_module("minisweagent.models")
    given = _shipped(config)
    reached = {**given["model"].get("model_kwargs", {}), "api_base": url, "api_key": "x" * 20}
    known = {"model_name": MODEL, "cost_tracking": "ignore_errors", "model_kwargs": reached}
    env = {**given["environment"]["env"], "PATH": path}
    environment = local.LocalEnvironment(cwd=str(folder), env=env)
    templates = {k: given["agent"][k] for k in ("system_template", "instance_template")}
    agent = agents.DefaultAgent(
        models.get_model(config={**given["model"], **known}), environment, **templates
    )
    agent.run(task)


def count(texts: list[str]) -> list[int]:
    """Tokens of each."""
    tokenizers = importlib.import_module("tokenizers")
    package = importlib.import_module("litellm")
    known = Path(package.__file__ or "").parent / "litellm_core_utils" / "tokenizers"
    tokenizer = tokenizers.Tokenizer.from_file(str(known / "anthropic_tokenizer.json"))
    return [len(tokenizer.encode(text).ids) for text in texts]


def main() -> int:
    match sys.argv[1:]:
        case ["wire", folder, url, config, path]:
            wire(Path(folder), url, config, path, json.load(sys.stdin))
            print()
        case ["count"]:
            print(json.dumps(count(json.load(sys.stdin))))
        case ["play", folder, path]:
            print(play(Path(folder), json.load(sys.stdin), path))
        case other:
            sys.exit(f"unknown: {other}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
