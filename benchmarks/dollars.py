"""Dollars of an attempt beside mini-swe-agent's: the same forty actions, at the same prices.

Both as they ship, each through its own client before a fake API, with the same words and the same
files left behind (`wire.py`); one simulation of the API's cache. First one action a turn in both.
Then as the prompts ask for it: ours to call together what needs no result of each other, that of
mini-swe-agent for its command line (`mini.yaml`) to go step by step; where it does as ours, or as
`swebench.yaml` tells it to, stands beside. Then what a pause costs, and a fleet. Exits 1 where the
attempt as prompted costs more than 0.6 of theirs, ours is dearer in any row, less than nine tenths
of the input of forty steps come from the cache, or pre-warming costs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forty import forty
from prompt_cache import Block, PromptCache
from wire import RIVAL, Sent, archive, by_rival, by_us, has_rival, tokens_of

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "claude-sonnet-5-5"
TARGET, LEAST_CACHED = 0.6, 0.9
STEP_S, PAUSE_S, FLEET, WORDIER = 10.0, 400.0, 20, 3
GUIDE = "Keep functions short, and say why in comments only where the code cannot.\n" * 80
FORTY = forty()
PRICES = ModelPrices({})


class Runs(NamedTuple):
    """What was sent, one action a turn and several, by us and by its two configurations."""

    ours_singly: Sent
    ours: Sent
    ours_guided: Sent
    mini_singly: Sent
    mini: Sent
    swebench: Sent


class Wave:
    """Attempts side by side, step by step, `STEP_S` apart; one cache for all of them."""

    def __init__(self, sent: list[Sent], *, warmed: bool = True, pause_after: int = -1) -> None:
        self.usage, self._now = Usage(), 0.0
        cache = PromptCache(lambda: self._now)
        for step in range(len(sent[0].requests)):
            begun: list[Callable[[], Usage]] = []
            for number, each in enumerate(sent):
                output = sum(block.tokens for block in each.replies[step])
                begun.append(cache.count(each.requests[step], output))
                if warmed and step == 0 and number == 0:
                    self.usage += begun.pop()()
            for begin in begun:
                self.usage += begin()
            self._now += PAUSE_S if step == pause_after else STEP_S


def dollars(usage: Usage) -> float:
    return PRICES.cost(MODEL, usage) / 1e6


def row(name: str, usage: Usage) -> float:
    output, again = dollars(Usage(output=usage.output)), dollars(Usage(cache_read=usage.cache_read))
    print(
        f"  {name:<46} ${dollars(usage):.4f} = output {output:.4f} + first time"
        f" {dollars(usage) - output - again:.4f} + again {again:.4f};"
        f" {usage.cache_read / usage.context:.1%} of input cached"
    )
    return dollars(usage)


def beside(title: str, ours: Sent, theirs: Sent) -> float:
    """Prints both and gives the ratio."""
    one, other = (Wave([each]).usage for each in (ours, theirs))
    print(title)
    ratio = row(f"fanfold, {len(ours.requests)} turns", one) / row(
        f"{RIVAL}, {len(theirs.requests)} turns", other
    )
    print(f"  ours / theirs: {ratio:.2f}")
    return ratio


def wordier(sent: Sent) -> Sent:
    """With so many times the words and commands from the model, which no harness can spare."""
    said = {block.text for blocks in sent.replies for block in blocks}

    def more(rows: list[list[Block]]) -> list[list[Block]]:
        return [
            [Block(b.text, b.ttl, b.tokens * (WORDIER if b.text in said else 1)) for b in blocks]
            for blocks in rows
        ]

    return Sent(more(sent.requests), more(sent.replies), sent.files)


def relived(sent: Sent) -> Sent:
    """With breakpoints of an hour."""
    requests = [[Block(b.text, b.ttl and "1h", b.counted) for b in r] for r in sent.requests]
    return Sent(requests, sent.replies, sent.files)


def another(sent: Sent, number: int, more: int = 0) -> Sent:
    """The same attempt on another task, with so many more tokens that describe it."""

    def other(block: Block) -> Block:
        if FORTY.task.partition("\n")[0] not in block.text:
            return block
        return Block(f"{block.text}{number}", block.ttl, block.tokens + more)

    requests = [[other(block) for block in request] for request in sent.requests]
    return Sent(requests, sent.replies, sent.files)


def attempts(runs: Runs) -> bool:
    same = beside("the same forty actions, one a turn:", runs.ours_singly, runs.mini_singly)
    cached = Wave([runs.ours_singly]).usage
    led = beside("the same forty as the prompts ask for it:", runs.ours, runs.mini_singly)
    alike = beside("the same turns of several actions in both:", runs.ours, runs.mini)
    plain = beside("the same turns, by its configuration for SWE-bench:", runs.ours, runs.swebench)
    words = beside(
        f"as the prompts ask for it, {WORDIER} times the words from the model:",
        wordier(runs.ours),
        wordier(runs.mini_singly),
    )
    print(f"as the prompts ask for it: {led:.2f} of its dollars (at most {TARGET})")
    enough = cached.cache_read >= LEAST_CACHED * cached.context
    return enough and led <= TARGET and max(same, alike, plain, words) <= 1


def pauses(runs: Runs) -> None:
    print(f"a wait of {PAUSE_S:.0f} s in the middle, as for a long test run:")
    half, ours = len(FORTY.actions) // 2, runs.ours_singly
    row("no wait", Wave([ours]).usage)
    row("with it", Wave([ours], pause_after=half).usage)
    row("no wait, all breakpoints of an hour", Wave([relived(ours)]).usage)
    row("with it, all breakpoints of an hour", Wave([relived(ours)], pause_after=half).usage)
    context = sum(block.tokens for block in ours.requests[half])
    row("what one request to keep it alive takes", Usage(cache_read=context, output=1))


def fleet(runs: Runs, guide: int) -> bool:
    print(f"{FLEET} attempts of a project with instructions of {guide} tokens:")
    own = [another(runs.ours_guided, number) for number in range(FLEET)]
    cold = row("fanfold, without pre-warming", Wave(own, warmed=False).usage)
    warm = row("fanfold, pre-warmed by the first call", Wave(own).usage)
    theirs = [another(runs.mini_singly, number, guide) for number in range(FLEET)]
    separate = row(f"{RIVAL}, {FLEET} starts", Wave(theirs).usage)
    print(
        f"  pre-warming saves {1 - warm / cold:.1%} and costs no call, one reply's wait;"
        f" ours / theirs: {warm / separate:.2f}"
    )
    return warm < cold


def measured(source: Path) -> tuple[Runs, int]:
    """All runs with their tokens counted, and the tokens of the guide; exits where files differ."""
    runs = Runs(
        by_us(source, FORTY.singly),
        by_us(source, FORTY.turns),
        by_us(source, FORTY.turns, GUIDE),
        by_rival(source, FORTY.singly, "mini.yaml"),
        by_rival(source, FORTY.turns, "mini.yaml"),
        by_rival(source, FORTY.turns, "benchmarks/swebench.yaml"),
    )
    if len({each.files for each in runs}) > 1:
        sys.exit("the harnesses did not leave the same files behind")
    tokens = tokens_of({GUIDE}.union(*(each.texts for each in runs)))
    return Runs(*(each.counted(tokens) for each in runs)), tokens[GUIDE]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        source = archive(Path(name))
        if source is None or not has_rival():
            print(f"{RIVAL} or its package cannot be had here: no comparison")
            return 0
        runs, guide = measured(source)
    met = attempts(runs)
    pauses(runs)
    return 0 if fleet(runs, guide) and met else 1


if __name__ == "__main__":
    sys.exit(main())
