"""Six real tracks as one batch, against one of them alone: python benchmarks/batches.py [DELAY_S].

The tracks are those of ../shared/data/conductor; a scripted model plays every agent, and thinks
DELAY_S seconds (0.5) before each reply. What remains is what the harness adds to six at once.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.fleet import FANFOLD, git

DATA = Path(__file__).parents[2] / "shared/data/conductor/gemini-cli-extensions__conductor"
TRACKS = [f"issue_{number}_20260223" for number in (96, 97, 103, 108, 112, 115)]
MOST = 1.3


def make_repository(folder: Path) -> Path:
    """The tracks as they were before anybody had worked on them."""
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    for track in TRACKS:
        plan = folder / "conductor" / "tracks" / track / "plan.md"
        plan.write_text(plan.read_text("utf-8").replace("- [x]", "- [ ]"), "utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.invalid")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "Base")
    return folder


def write_script(file: Path, delay_s: float) -> Path:
    """Every attempt writes the same note, then submits."""
    note = {"file_path": "notes.md", "content": "Done as asked.\n"}
    turns = [
        {"delay_s": delay_s, "calls": [{"name": "write", "input": note}]},
        {
            "delay_s": delay_s,
            "calls": [{"name": "submit", "input": {"status": "done", "summary": "Written."}}],
        },
    ]
    file.write_text(json.dumps({"attempts": [{"task": "*", "turns": turns}]}))
    return file


def run(tracks: list[str], delay_s: float) -> float:
    """Seconds that the tracks take in a fresh repository; exits unless all of them are merged."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_repository(Path(folder) / "repository")
        script = write_script(Path(folder) / "script.json", delay_s)
        chosen = [word for track in tracks for word in ("--track", track)]
        words = ["run", *chosen, "--budget", "1000", "--check", "true", "--gates", "defer"]
        command = [FANFOLD, *words, "--no-sandbox", "--json"]
        begun = time.monotonic()
        done = subprocess.run(
            ["env", f"FANFOLD_MODEL_SCRIPT={script}", *command],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.monotonic() - begun
        outcome = json.loads(done.stdout)["outcome"] if done.stdout else done.stderr
        if outcome != "completed":
            sys.exit(f"{tracks}: {outcome}")
        return took


def main(delay_s: float = 0.5) -> int:
    alone, together = run(TRACKS[:1], delay_s), run(TRACKS, delay_s)
    ratio = together / alone
    print(
        f"one track {alone:.2f} s, six tracks {together:.2f} s: {ratio:.2f} times (at most {MOST})"
    )
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:2])))
