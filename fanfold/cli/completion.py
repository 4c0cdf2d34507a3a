"""`fanfold completion`: a script that completes commands and options in your shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from fanfold.cli.main import COMMANDS, Parser, add_command_arguments, top_parser
from fanfold.cli.output import say

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  fanfold completion bash > ~/.local/share/bash-completion/completions/fanfold
  fanfold completion zsh > "${fpath[1]}/_fanfold"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)


def run(args: argparse.Namespace) -> int:
    parser = top_parser()
    commands = parser.add_subparsers(dest="command", parser_class=Parser)
    for name, text in COMMANDS.items():
        add_command_arguments(name, commands.add_parser(name, help=text))
    say(shtab.complete(parser, shell=args.shell))
    return 0
