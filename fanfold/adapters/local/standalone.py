"""Programs that run as text where this package cannot be seen: inside a sandbox."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import ModuleType

# The modules are there by name, so that the program's own imports find them.
_START = """\
import sys
from types import ModuleType
for name, text in {texts!r}:
    parent, _, short = name.rpartition(".")
    sys.modules[name] = module = ModuleType(name)
    setattr(sys.modules.setdefault(parent, ModuleType(parent)), short, module)
    exec(compile(text, name, "exec"), module.__dict__)
exec(compile({program!r}, {name!r}, "exec"))
"""


@contextmanager
def program_file(program: ModuleType, *modules: ModuleType) -> Generator[IO[bytes]]:
    """What `python_words` read from their input: a program that imports only `modules`."""
    with tempfile.TemporaryFile() as file:
        file.write(_text(program, *modules))
        file.seek(0)
        yield file


def python_words() -> tuple[str, ...]:
    """The words that run a program as it comes in, without a look at any file but Python's own."""
    return (str(Path(sys.executable).resolve()), "-I", "-S", "-")


@cache
def _text(program: ModuleType, *modules: ModuleType) -> bytes:
    texts = [(module.__name__, _source(module)) for module in modules]
    start = _START.format(texts=texts, program=_source(program), name=program.__name__)
    return start.encode()


def _source(module: ModuleType) -> str:
    return Path(module.__file__ or "").read_text("utf-8")
