"""What the scripted model plays in the demo: four agents, one of them careless, and an arbiter."""

from __future__ import annotations

from fanfold.adapters.local.script import Script, Turn, submit, use, write_files
from fanfold.run.attempt import Purpose

THINKING_S = 0.3

COUNT = '''\
"""Counts words."""


def count(text):
    return len(text.split())
'''
COUNT_TEST = """\
import unittest

from textkit.count import count


class Count(unittest.TestCase):
    def test_words_are_counted(self):
        self.assertEqual(count("one two  three"), 3)

    def test_an_empty_text_has_none(self):
        self.assertEqual(count(""), 0)
"""
SLUG = '''\
"""Makes names for URLs."""

import re


def slug(text):
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))
'''
SLUG_TEST = """\
import unittest

from textkit.slug import slug


class Slug(unittest.TestCase):
    def test_words_are_joined(self):
        self.assertEqual(slug("Hello, World!"), "hello-world")
"""
CARELESS_WRAP = '''\
"""Breaks a text into lines."""


def wrap(text, width):
    return [text[at : at + width] for at in range(0, len(text), width)]
'''
WRAP = '''\
"""Breaks a text into lines."""


def wrap(text, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
'''
WRAP_TEST = """\
import unittest

from textkit.wrap import wrap


class Wrap(unittest.TestCase):
    def test_words_stay_whole(self):
        self.assertEqual(wrap("one two three", 8), ["one two", "three"])
"""
MAIN = '''\
"""The tools on the command line."""

import sys

from textkit.count import count
from textkit.slug import slug
from textkit.wrap import wrap


def main(words):
    tool, text = words[0], " ".join(words[1:])
    if tool == "wrap":
        return "\\n".join(wrap(text, 40))
    return str({"count": count, "slug": slug}[tool](text))


if __name__ == "__main__":
    print(main(sys.argv[1:]))
'''
MAIN_TEST = """\
import unittest

from textkit.__main__ import main


class Main(unittest.TestCase):
    def test_each_tool_is_reached(self):
        self.assertEqual(main(["count", "a", "b"]), "2")
        self.assertEqual(main(["slug", "A b"]), "a-b")
        self.assertEqual(main(["wrap", "a b"]), "a b")
"""


def agents() -> Script:
    """The script of the whole demo."""
    return Script.of(
        {
            "Count words": (
                _look("README.md"),
                write_files({"textkit/count.py": COUNT, "tests/test_count.py": COUNT_TEST}),
                _readme("none yet", "count (words)"),
                submit("Added count() with tests, and named it in the README.", confidence="high"),
            ),
            ("Make slugs", Purpose.WORK, None): (
                _look("README.md"),
                write_files({"textkit/slug.py": SLUG, "tests/test_slug.py": SLUG_TEST}),
                _readme("none yet", "slug (names for URLs)"),
                submit("Added slug() with tests, and named it in the README.", confidence="high"),
            ),
            ("Make slugs", Purpose.RESOLVE, None): (
                _look("README.md"),
                _readme("count (words)", "count (words), slug (names for URLs)"),
                submit("Kept both tools in the README's list.", confidence="high"),
            ),
            ("Wrap lines", Purpose.WORK, None): (
                write_files({"textkit/wrap.py": CARELESS_WRAP, "tests/test_wrap.py": WRAP_TEST}),
                submit("Added wrap() with a test.", confidence="medium"),
            ),
            ("Wrap lines", Purpose.REPAIR, None): (
                _look("textkit/wrap.py"),
                write_files({"textkit/wrap.py": WRAP}),
                submit("wrap() broke words apart; now it breaks between them.", confidence="high"),
            ),
            "Call the tools from the command line": (
                use("glob", pattern="textkit/*.py"),
                write_files({"textkit/__main__.py": MAIN, "tests/test_main.py": MAIN_TEST}),
                submit("The tools can be called from the command line.", confidence="high"),
            ),
        }
    )


def _look(path: str) -> Turn:
    turn = use("read", file_path=path)
    return Turn(text=f"First I read {path}.", calls=turn.calls, delay_s=THINKING_S)


def _readme(old: str, new: str) -> Turn:
    return use(
        "edit",
        file_path="README.md",
        old_string=f"Tools: {old}.",
        new_string=f"Tools: {new}.",
    )
