"""Dollars of forty scripted steps under our layout of the prompt cache, beside mini-swe-agent's.

Both as they ship: their prompts, tools, forms of output and breakpoints (it sets one, on the last
message, for models named like Claude). One model's prices, one simulation of the API's cache. Then
a wave of attempts on one project, with and without pre-warming. Exits 1 where less than nine tenths
of our input come from the cache, the same commands cost more than theirs, or pre-warming costs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from own import MODEL, played
from prompt_cache import CHARACTERS_A_TOKEN, Block, PromptCache, blocks_of
from rival import RIVAL, STEPS, told

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ATTEMPTS, TOGETHER = 8, 4
LEAST_CACHED, TARGET = 0.9, 0.6
GUIDE = "Keep functions short, and say why in comments only where the code cannot.\n" * 80
PRICES = ModelPrices({})


class Calls(NamedTuple):
    """What each call of an attempt sent, and the tokens of each reply."""

    requests: list[list[Block]]
    replies: list[int]


def ours(*, files: bool, together: int = 1, guide: str = "") -> Calls:
    one = played(files=files, together=together, instructions=guide)
    return Calls(
        [blocks_of(r) for r in one.requests], [n // CHARACTERS_A_TOKEN for n in one.replies]
    )


def theirs(one: dict[str, Any]) -> Calls:
    texts: list[list[str]] = one["texts"]
    lengths: list[int] = one["lengths"]
    requests: list[list[Block]] = []
    for length in lengths:
        blocks = [Block(one["tool"]), *(Block(t) for message in texts[:length] for t in message)]
        requests.append([*blocks[:-1], Block(blocks[-1].text, "5m")])
    replies = [sum(map(len, texts[n])) // CHARACTERS_A_TOKEN for n in lengths]
    return Calls(requests, replies)


def usage_of(wave: list[Calls], *, warmed: bool = True) -> Usage:
    """All calls, step by step side by side; `warmed`: the first reply comes before the others."""
    cache, total = PromptCache(), Usage()
    for step in range(len(wave[0].requests)):
        begun: list[Callable[[], Usage]] = []
        for number, calls in enumerate(wave):
            begun.append(cache.count(calls.requests[step], calls.replies[step]))
            if warmed and step == 0 and number == 0:
                total += begun.pop()()
        for begin in begun:
            total += begin()
    return total


def floor_of(calls: Calls) -> Usage:
    """What no layout can go below: each token is input once, at no premium, then read."""
    total = Usage()
    before = 0
    for blocks, reply in zip(*calls, strict=True):
        size = sum(block.tokens for block in blocks)
        total += Usage(input=size - before, cache_read=before, output=reply)
        before = size
    return total


def shared(calls: Calls, number: int) -> Calls:
    """The same attempt on another task."""

    def other(block: Block) -> Block:
        return Block(block.text.replace("Make part 7", f"Make part {number}"), block.ttl)

    return Calls([[other(block) for block in request] for request in calls.requests], calls.replies)


def dollars(usage: Usage) -> float:
    return PRICES.cost(MODEL, usage) / 1e6


def row(name: str, usage: Usage) -> float:
    again = Usage(cache_read=usage.cache_read)
    output = Usage(output=usage.output)
    first = dollars(usage) - dollars(again) - dollars(output)
    cached = usage.cache_read / usage.context
    print(
        f"  {name:<28} ${dollars(usage):.4f} = output {dollars(output):.4f} + first time"
        f" {first:.4f} + again {dollars(again):.4f}; {cached:.1%} of input from the cache"
    )
    return dollars(usage)


def one_attempt() -> bool:
    print(f"one attempt, {STEPS} steps, {MODEL}:")
    by_files, by_commands = ours(files=True), ours(files=False)
    own = {"fanfold, its file tools": by_files, "fanfold, commands": by_commands}
    usages = {name: usage_of([calls]) for name, calls in own.items()}
    costs = [row(name, usage) for name, usage in usages.items()]
    cached = all(u.cache_read >= LEAST_CACHED * u.context for u in usages.values())
    found = told()
    if found is None:
        print(f"  {RIVAL} cannot be had here: no comparison")
        return cached
    rival = theirs(found)
    cost = row(RIVAL, usage_of([rival]))
    least = row("the least for its tokens", floor_of(rival))
    bare = dollars(usage_of([Calls([[*map(_bare, r)] for r in rival.requests], rival.replies)]))
    ratios = [each / cost for each in costs]
    print(
        f"  ours / theirs: {ratios[0]:.2f} by files, {ratios[1]:.2f} by the same commands"
        " (at most 1)"
    )
    print(
        f"  the target of {TARGET} is not met on the same steps, and cannot be by layout alone: the"
        f" least that any layout pays for its tokens is {least / cost:.2f} of what it pays"
    )
    print(f"  beside a loop without breakpoints, ${bare:.4f}: {costs[1] / bare:.2f}")
    fewer = row(
        f"{TOGETHER} looks a turn, as we ask for", usage_of([ours(files=True, together=TOGETHER)])
    )
    print(
        f"  the same looks in fewer turns: {fewer / cost:.2f} of theirs one by one; not the same"
        " steps, and a model may do so there too"
    )
    return cached and ratios[1] <= 1


def a_wave() -> bool:
    """Attempts of one role share tools, rules and a project's instructions."""
    print(f"a wave of {ATTEMPTS} attempts on a project with a guide of {len(GUIDE)} characters:")
    one = ours(files=True, guide=GUIDE)
    wave = [shared(one, number) for number in range(ATTEMPTS)]
    cold = row("without pre-warming", usage_of(wave, warmed=False))
    warm = row("pre-warmed by the first call", usage_of(wave))
    print(f"  pre-warming saves {1 - warm / cold:.1%} and costs no call, one reply's wait")
    return warm < cold


def _bare(block: Block) -> Block:
    return Block(block.text)


def main() -> int:
    return 0 if all([one_attempt(), a_wave()]) else 1


if __name__ == "__main__":
    sys.exit(main())
