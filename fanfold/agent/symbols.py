"""What a source file defines, by tree-sitter: classes with their methods, functions, types."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

LARGEST = 200_000
_ARROW = "(variable_declarator name: (identifier) @name value: (arrow_function)) @def"
_SCRIPT = f"""
(function_declaration name: (identifier) @name) @def
(generator_function_declaration name: (identifier) @name) @def
(method_definition name: (property_identifier) @name) @def
(program (lexical_declaration {_ARROW}))
(program (export_statement (lexical_declaration {_ARROW})))
"""
_TYPED = f"""{_SCRIPT}
(class_declaration name: (type_identifier) @name) @def
(abstract_class_declaration name: (type_identifier) @name) @def
(interface_declaration name: (type_identifier) @name) @def
(type_alias_declaration name: (type_identifier) @name) @def
(enum_declaration name: (identifier) @name) @def
"""
_QUERIES = {
    "python": """
        (class_definition name: (identifier) @name) @def
        (function_definition name: (identifier) @name) @def
    """,
    "javascript": f"{_SCRIPT} (class_declaration name: (identifier) @name) @def",
    "typescript": _TYPED,
    "tsx": _TYPED,
    "go": """
        (function_declaration name: (identifier) @name) @def
        (method_declaration name: (field_identifier) @name) @def
        (type_spec name: (type_identifier) @name) @def
    """,
    "rust": """
        (struct_item name: (type_identifier) @name) @def
        (enum_item name: (type_identifier) @name) @def
        (trait_item name: (type_identifier) @name) @def
        (function_item name: (identifier) @name) @def
    """,
    "java": """
        (class_declaration name: (identifier) @name) @def
        (interface_declaration name: (identifier) @name) @def
        (enum_declaration name: (identifier) @name) @def
        (record_declaration name: (identifier) @name) @def
        (method_declaration name: (identifier) @name) @def
    """,
}
_ENDINGS = {
    "python": "py pyi",
    "javascript": "js cjs mjs jsx",
    "typescript": "ts cts mts",
    "tsx": "tsx",
    "go": "go",
    "rust": "rs",
    "java": "java",
}
_LANGUAGES = {ending: name for name, endings in _ENDINGS.items() for ending in endings.split()}


class Symbol(msgspec.Struct, frozen=True):
    """A definition at the top of a file, with those in it."""

    name: str
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.members)})" if self.members else self.name


def has_symbols(path: str) -> bool:
    """Whether the path's ending is that of a language that is understood."""
    return path.rpartition(".")[2] in _LANGUAGES


def symbols(path: str, data: bytes) -> tuple[Symbol, ...]:
    """In the order of the file; names that start with an underscore, and tests, are left out."""
    language = _LANGUAGES.get(path.rpartition(".")[2])
    if language is None or len(data) > LARGEST:
        return ()
    found: list[tuple[str, list[str]]] = []
    around: list[Node] = []
    for node, name in _definitions(language, data):
        while around and around[-1].end_byte <= node.start_byte:
            around.pop()
        if not around:
            found.append((name, []))
        elif len(around) == 1 and _holds(around[0], node) and name[0] not in "_#":
            found[-1][1].append(name)
        around.append(node)
    return tuple(
        Symbol(name, tuple(dict.fromkeys(members)))
        for name, members in found
        if not name.startswith("_")
    )


def _holds(outer: Node, inner: Node) -> bool:
    """Whether a class holds a definition; what a function defines is its own affair."""
    is_type = any(word in outer.type for word in ("class", "interface", "enum", "record", "trait"))
    return is_type and inner.end_byte <= outer.end_byte


def _definitions(language: str, data: bytes) -> list[tuple[Node, str]]:
    from tree_sitter import Parser, QueryCursor

    grammar, query = _grammar(language)
    tree = Parser(grammar).parse(data)
    found: list[tuple[Node, str]] = []
    for _, captures in QueryCursor(query).matches(tree.root_node):
        text = captures["name"][0].text or b""
        found.append((captures["def"][0], text.decode("utf-8", "replace")))
    return sorted(found, key=lambda pair: (pair[0].start_byte, -pair[0].end_byte))


@cache
def _grammar(language: str) -> tuple[Language, Query]:
    from tree_sitter import Language, Query

    grammar = Language(_source(language))
    return grammar, Query(grammar, _QUERIES[language])


def _source(language: str) -> object:
    """Each grammar is a package of its own, loaded when a file of it is met."""
    match language:
        case "python":
            import tree_sitter_python

            return tree_sitter_python.language()
        case "javascript":
            import tree_sitter_javascript

            return tree_sitter_javascript.language()
        case "go":
            import tree_sitter_go

            return tree_sitter_go.language()
        case "rust":
            import tree_sitter_rust

            return tree_sitter_rust.language()
        case "java":
            import tree_sitter_java

            return tree_sitter_java.language()
        case _:
            import tree_sitter_typescript

            typed = language == "typescript"
            return (
                tree_sitter_typescript.language_typescript()
                if typed
                else tree_sitter_typescript.language_tsx()
            )
