"""What every tool is made of: its description as data, its input, its result."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.agent.tools.bench import Bench
    from fanfold.run.access import Operation


class ToolFailure(Exception):
    """The tool could not do it; the text tells the model how to go on."""


class Result(msgspec.Struct, frozen=True):
    """What a call gave. `written` holds paths whose content really changed.

    `means` is what a shorter text stands for, where it is not all there is to say.
    """

    text: str
    ok: bool = True
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    waiting: bool = False
    means: str = ""

    @property
    def digest(self) -> str:
        return digest(self.means or self.text)


A = TypeVar("A", bound=msgspec.Struct)


def no_paths(_: Any) -> tuple[str, ...]:
    """For tools whose input names no path."""
    return ()


class Tool(Generic[A]):
    """One tool: `paths` are those that the policy judges before `run` is called.

    What `searches` goes below a path, through those files only that the bench lists.
    """

    def __init__(
        self,
        name: str,
        description: str,
        operation: Operation,
        arguments: type[A],
        run: Callable[[Bench, A], Result],
        paths: Callable[[A], tuple[str, ...]] = no_paths,
        *,
        searches: bool = False,
    ) -> None:
        self.name, self.description, self.operation = name, description, operation
        self.arguments, self.run, self.paths = arguments, run, paths
        self.searches = searches

    def parse(self, value: dict[str, Any]) -> A:
        """The typed input; raises `msgspec.ValidationError` with the place and the mend.

        What is null counts as left out, and numbers may come as text.
        """
        given = {name: item for name, item in value.items() if item is not None}
        return msgspec.convert(given, self.arguments, strict=False)

    def definition(self, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """The tool as the Messages API wants it, less the properties named.

        Empty defaults are left out too: every token of it is sent with every call.
        """
        schema = msgspec.json.schema(self.arguments)["$defs"][self.arguments.__name__]
        properties = {
            name: {key: value for key, value in told.items() if key != "default" or value}
            for name, told in schema["properties"].items()
            if name not in without
        }
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": {
                "type": "object",
                "properties": properties,
                "required": schema.get("required", []),
            },
        }


def digest(text: str) -> str:
    """A short fingerprint for events and comparisons."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
