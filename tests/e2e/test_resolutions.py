"""What rules settle in a run is recorded: the file, the rule and both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.fakes.projects import PLAN, fanfold, git, make_repository

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BASE = "import os\n\n\ndef main():\n    return os.name\n"


def _importing(module: str) -> str:
    return BASE.replace("import os\n", f"import os\nimport {module}\n")


def test_a_union_of_imports_needs_no_arbiter_and_leaves_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = [
        {"task": name, "files": {"main.py": _importing(module)}, "submit": "x"}
        for name, module in (("One", "json"), ("Two", "sys"))
    ]
    (tmp_path / "script.json").write_bytes(msgspec.json.encode({"attempts": attempts}))
    monkeypatch.setenv("FANFOLD_MODEL_SCRIPT", str(tmp_path / "script.json"))
    head = "# P\n\n## Phase 1: A\n<!-- execution: parallel -->\n\n"
    plan = f"{head}- [ ] Task: One\n- [ ] Task: Two\n"
    root = make_repository(tmp_path / "project", {PLAN: plan, "main.py": BASE})
    words = ("run", PLAN, "--unit", "task", "--budget", "2", "--json", "--no-sandbox")
    ended = fanfold(root, *words, "--check", "true")
    assert ended.code == 0, ended.err
    assert [t["attempts"] for t in ended.json["tasks"]] == [1, 1]
    merged = git(root, "show", f"{ended.json['branch']}:main.py")
    assert {"import json", "import os", "import sys"} <= set(merged.splitlines())
    folder = root / ".ai-workspace" / "runs" / ended.json["run"] / "merges"
    record = msgspec.json.decode((folder / "1.json").read_bytes())
    ((settled,),) = record["resolutions"].values()
    assert settled["path"] == "main.py"
    assert settled["rules"]
    sides = [git(root, "cat-file", "-p", settled[side]) for side in ("base", "ours", "theirs")]
    assert sides == [BASE.strip(), _importing("json").strip(), _importing("sys").strip()]
