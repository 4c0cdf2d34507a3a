"""The small repository and the plan that the demo runs."""

from __future__ import annotations

TRACK = "conductor/tracks/textkit_20260101"
PLAN = f"{TRACK}/plan.md"
CHECK = "python3 -m unittest discover -q -s tests -t ."

FILES = {
    "README.md": """\
# textkit

Small tools for text, without dependencies.

Tools: none yet.
""",
    "textkit/__init__.py": '''\
"""Small tools for text."""

__version__ = "0.1.0"
''',
    "tests/__init__.py": "",
    "tests/test_version.py": """\
import unittest

import textkit


class Version(unittest.TestCase):
    def test_version_has_three_parts(self):
        self.assertEqual(len(textkit.__version__.split(".")), 3)
""",
    f"{TRACK}/spec.md": """\
# Specification: the first tools

textkit counts words, makes slugs and wraps lines, as functions and on the command line.
""",
    f"{TRACK}/metadata.json": """\
{"track_id": "textkit_20260101", "type": "feature", "status": "approved"}
""",
    PLAN: """\
# Plan: the first tools

## Phase 1: Tools
<!-- execution: parallel -->

- [ ] Task: Count words
  - A function `count(text)` that gives the number of words.
  - Name the tool in the README.
- [ ] Task: Make slugs
  - A function `slug(text)` that gives a lower-case name for URLs.
  - Name the tool in the README.
- [ ] Task: Wrap lines
  - A function `wrap(text, width)` that breaks a text into lines of at most `width` characters.
- [ ] Task: Conductor - User Manual Verification 'Tools' (Protocol in workflow.md)

## Phase 2: Command line

- [ ] Task: Call the tools from the command line
  - `python3 -m textkit count|slug|wrap TEXT`
""",
}
