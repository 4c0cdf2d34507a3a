"""The seven tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.agent.tools import bash, edit, glob, grep, read, submit, write
from fanfold.run.decoders import learn

if TYPE_CHECKING:
    from fanfold.agent.tools.base import Tool

TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        read.TOOL,
        write.TOOL,
        edit.TOOL,
        glob.TOOL,
        grep.TOOL,
        bash.TOOL,
        submit.TOOL,
    )
}

learn(*(tool.arguments for tool in TOOLS.values()))
