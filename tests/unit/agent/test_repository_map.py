"""The map of a repository: files, and what the most used of them define."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.agent.repository_map import BUDGET, RepositoryMap, unreadable
from fanfold.agent.symbols import symbols
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {
    "shop/prices.py": "class PriceList:\n    def total(self): ...\n    def _hidden(self): ...\n",
    "shop/cart.py": "from shop.prices import PriceList\n\n\ndef checkout_cart(): ...\n",
    "shop/views.py": "from shop.prices import PriceList\nfrom shop.cart import checkout_cart\n"
    "def page():\n    def inner(): ...\n",
    "tests/test_cart.py": "def test_cart(): ...\n",
    "web/app.ts": "export class App { run(): void {} }\nexport const start = () => 1\n",
    "README.md": "# Shop\n",
}


def mapped(files: Mapping[str, str]) -> RepositoryMap:
    def read(path: str) -> bytes:
        if path not in files:
            raise WorkspaceError(path)
        return files[path].encode()

    return RepositoryMap(sorted(files), read)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("a.py", "class A:\n @x\n def b(self): ...\n def _c(self): ...\ndef d(): ...", "A(b) d"),
        ("a.py", "def f():\n class Inner: ...\nclass _P:\n def x(self): ...\n", "f"),
        ("a.js", "class A { b() {} #c() {} }\nfunction d() {}\nconst e = () => 1", "A(b) d e"),
        ("a.ts", "interface I {}\ntype T = I\nenum E {}\nabstract class A {}", "I T E A"),
        ("a.tsx", "export function View() { return <b/> }", "View"),
        ("a.go", "type T struct{}\nfunc (t T) M() {}\nfunc F() {}", "T M F"),
        ("a.rs", "struct S; enum E {A} trait T {} impl S { fn m() {} }", "S E T m"),
        ("A.java", "class A { void b() {} record R(int x) {} }", "A(b, R)"),
        ("a.py", "class Broken(:\n def x(", ""),
        ("a.bin", "class A: ...", ""),
    ],
)
def test_what_files_define(path: str, text: str, told: str) -> None:
    found = " ".join(map(str, symbols(path, text.encode())))
    assert found == told or "Broken" in text


def test_the_most_used_definitions_come_first_and_tests_do_not() -> None:
    listing, definitions = mapped(FILES).shared.split("\n\n")
    assert listing.split("\n") == sorted(FILES)
    assert definitions.split("\n") == [
        "shop/prices.py: PriceList(total)",
        "shop/cart.py: checkout_cart",
        "shop/views.py: page",
        "web/app.ts: App(run), start",
    ]


def test_the_page_keeps_its_budget_and_is_the_same_again() -> None:
    files = {f"p{i}/m{j}.py": f"class Thing{i}x{j}: ...\n" for i in range(40) for j in range(9)}
    one = mapped(files)
    assert len(one.shared) <= BUDGET
    assert one.shared == mapped(dict(reversed(files.items()))).shared
    assert "p0/ (9 files)" in one.shared
    assert "Thing0x0" in one.shared


def test_a_task_that_names_files_hears_of_those_and_their_neighbours() -> None:
    files = {f"shop/m{j:03}.py": f"class ThingNumber{j}: ...\n" for j in range(200)}
    files |= {f"web/m{j:03}.py": f"class OtherNumber{j}: ...\n" for j in range(200)}
    told = mapped(files).for_task("Change `shop/m150.py`. Keep the rest.").split("\n")
    assert told[0] == "shop/m150.py: ThingNumber150"
    assert len(told) > 20
    assert all(line.startswith("shop/") for line in told)


def test_nothing_is_told_twice() -> None:
    assert mapped(FILES).for_task("Change `shop/cart.py`") == ""


def test_large_repositories_are_listed_by_folder() -> None:
    paths = [f"a/{i}" for i in range(500)] + [f"b/c/{i}" for i in range(500)]
    assert RepositoryMap(paths, unreadable).shared == "a/ (500 files)\nb/ (500 files)"
    assert RepositoryMap([f"{i:05}" for i in range(9_000)], unreadable).shared == "9000 files"


def test_a_task_that_names_none_hears_more_of_the_whole() -> None:
    files = {f"p/m{j:03}.py": f"class ThingNumber{j}: ...\n" for j in range(200)}
    one = mapped(files)
    more = one.for_task("Do it all better")
    assert more
    assert not set(more.split("\n")) & set(one.shared.split("\n"))
    assert len(more) <= BUDGET


def test_files_that_are_not_at_hand_are_only_listed() -> None:
    assert RepositoryMap(["a.py"], unreadable).shared == "a.py"
