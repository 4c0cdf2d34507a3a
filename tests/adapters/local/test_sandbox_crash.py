"""A harness that is killed leaves no command behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.sandbox import Bubblewrap

if TYPE_CHECKING:
    from pathlib import Path

HARNESS = """
import os, sys, threading
from fanfold.adapters.local.sandbox import Bubblewrap
sandbox = Bubblewrap({"PATH": os.defpath, "HOME": sys.argv[2]})
command = "echo begun >begun; (setsid sleep 1; echo x >late) & sleep 1; echo x >late"
threading.Thread(target=sandbox.run, args=(command, sys.argv[1], 30)).start()
"""


def test_commands_die_with_a_killed_harness(tmp_path: Path) -> None:
    reason = Bubblewrap({"PATH": os.defpath, "HOME": str(tmp_path / "home")}).available()
    if reason:
        pytest.skip(reason)
    root = tmp_path / "tree"
    root.mkdir()
    command = [sys.executable, "-c", HARNESS, str(root), str(tmp_path / "home")]
    with subprocess.Popen(command) as harness:
        deadline = time.monotonic() + 20
        while not (root / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        harness.send_signal(signal.SIGKILL)
    time.sleep(1.3)
    assert [p.name for p in root.iterdir()] == ["begun"]
