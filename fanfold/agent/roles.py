"""Roles: Markdown with front matter, as in `.claude/agents`: name, description, tools, model."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable

    from fanfold.run.attempt import Context, RoleRules

AGENTS = ".claude/agents"
KNOWN = ("read", "write", "edit", "glob", "grep", "bash", "submit")
LOOKING = ("read", "glob", "grep")
FILES = ("read", "write")
OPERATIONS = (*FILES, "run")
ALIASES = {"multiedit": "edit", "ls": "glob"}


class Role(msgspec.Struct, frozen=True):
    """What an attempt may use and how it should work; `model` is empty where it has no wish.

    `operations`, `reads` and `writes` (globs) bound it further, None not at all.
    """

    name: str
    description: str
    tools: tuple[str, ...]
    prompt: str
    model: str = ""
    operations: tuple[str, ...] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None

    @property
    def has_shell(self) -> bool:
        return "bash" in self.tools and (self.operations is None or "run" in self.operations)

    @property
    def readable(self) -> tuple[str, ...] | None:
        """What may be written may be read."""
        return None if self.reads is None else (*self.reads, *(self.writes or ()))


def parse_role(text: str, name: str) -> Role:
    """A role file; `name` is used where the front matter has none.

    Tools and operations that fanfold does not have are left out; without a `tools` line the role
    may only look. `operations`, `reads` and `writes` bound it.
    Raises `UserError` for a file without front matter.
    """
    head, body = _split(text, name)
    fields = _fields(head)
    listed = fields.get("tools")
    return Role(
        name=fields.get("name", name),
        description=fields.get("description", ""),
        tools=LOOKING if listed is None else _tools(listed),
        prompt=body.strip(),
        model="" if fields.get("model", "inherit") == "inherit" else fields["model"],
        operations=_bound(fields),
        reads=_globs(fields, "reads"),
        writes=_globs(fields, "writes"),
    )


@cache
def load_role(name: str) -> Role:
    """A built-in role; raises `UserError` naming those there are."""
    folder = _folder()
    names = role_names()
    if name not in names:
        raise UserError(f"no role {name!r}; there are {', '.join(names)}")
    return parse_role((folder / f"{name}.md").read_text("utf-8"), name)


@cache
def role_names() -> tuple[str, ...]:
    """The built-in roles, sorted."""
    files = _folder().iterdir()
    return tuple(sorted(f.name.removesuffix(".md") for f in files if f.name.endswith(".md")))


def ruled(role: Role, rules: RoleRules) -> Role:
    """The role as a project's rules have it.

    Commands do not know the bounds of paths: with those, a shell has to be asked for by name.
    """
    bounded = rules.reads is not None or rules.writes is not None
    operations = FILES if bounded and rules.operations is None else rules.operations
    return msgspec.structs.replace(
        role,
        tools=role.tools if rules.tools is None else tuple(rules.tools),
        operations=role.operations if operations is None else operations,
        reads=role.reads if rules.reads is None else rules.reads,
        writes=role.writes if rules.writes is None else rules.writes,
    )


def project_role(role: Role, text: str) -> Role:
    """The built-in `role` as the project's own file describes it: never with more than it has.

    What else the file says is the project's, and stands with its instructions.
    """
    fields = _fields(_split(text, role.name)[0])
    listed = fields.get("tools")
    own = role.tools if listed is None else _tools(listed)
    bound = _bound(fields)
    return msgspec.structs.replace(
        role,
        tools=tuple(t for t in role.tools if t in own),
        operations=role.operations
        if bound is None
        else tuple(o for o in bound if role.operations is None or o in role.operations),
        reads=_globs(fields, "reads") if role.reads is None else role.reads,
        writes=_globs(fields, "writes") if role.writes is None else role.writes,
    )


def narrowed_hosts(text: str, hosts: Sequence[str]) -> tuple[str, ...]:
    """Those of `hosts` that the file names under `network`; all where it has no such line."""
    listed = _fields(_split(text, "")[0]).get("network")
    names = None if listed is None else set(_words(listed))
    return tuple(host for host in hosts if names is None or host.lower() in names)


def role_body(text: str) -> str:
    """What a role's file says below its front matter."""
    return _split(text, "")[1].strip()


def role_of(context: Context) -> Role:
    """The role of an attempt: built in, narrowed by the project's file, then as `[roles]` says."""
    role = load_role(context.role)
    if context.role_file is not None:
        role = project_role(role, context.role_file[1])
    return ruled(role, context.rules)


def _folder() -> Traversable:
    """Inside the installed package, or beside it in a checkout."""
    package = files("fanfold")
    installed = package / "roles"
    return installed if installed.is_dir() else files("fanfold") / ".." / "roles"


def _split(text: str, name: str) -> tuple[str, str]:
    lines = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    if lines[0].strip() == "---":
        for number, line in enumerate(lines[1:], 1):
            if line.strip() == "---":
                return "\n".join(lines[1:number]), "\n".join(lines[number + 1 :])
    raise UserError(f"role {name!r}: no front matter between two lines of ---")


def _fields(head: str) -> dict[str, str]:
    """Flat `key: value` lines; a value may go on in indented lines, or be a list of `- item`."""
    fields: dict[str, str] = {}
    key = ""
    for line in head.split("\n"):
        if line[:1].isspace() or line.startswith("-"):
            fields[key] = f"{fields.get(key, '')}\n{line.strip()}".strip()
        elif ":" in line and not line.startswith("#"):
            key, value = (part.strip() for part in line.split(":", 1))
            fields[key] = _unquoted(value)
    return {
        name: value.removeprefix("|").removeprefix(">").strip() for name, value in fields.items()
    }


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _words(listed: str) -> Iterator[str]:
    """The items of a list in lower case."""
    return (item.lower() for item in _items(listed))


def _items(listed: str) -> Iterator[str]:
    """The items of a list in either of its forms."""
    for word in listed.strip("[]").replace("\n", ",").split(","):
        yield word.strip().removeprefix("-").strip("'\" ")


def _globs(fields: dict[str, str], name: str) -> tuple[str, ...] | None:
    return tuple(filter(None, _items(fields[name]))) if name in fields else None


def _bound(fields: dict[str, str]) -> tuple[str, ...] | None:
    """The operations that are named; commands do not know the bounds of paths."""
    if "operations" in fields:
        return tuple(word for word in _words(fields["operations"]) if word in OPERATIONS)
    return FILES if {"reads", "writes"} & fields.keys() else None


def _tools(listed: str) -> tuple[str, ...]:
    names = (word.split("(")[0] for word in _words(listed))
    wanted = {ALIASES.get(name, name) for name in names}
    return tuple(name for name in KNOWN if name in wanted)
