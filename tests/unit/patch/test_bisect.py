"""Bisection: the guilty are found, in few runs."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from fanfold.patch.bisect import Verdict, find_guilty, first_red


@given(
    st.integers(1, 300).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1)))
)
def test_the_first_guilty_patch_is_found_in_a_logarithm_of_runs(case: tuple[int, int]) -> None:
    count, guilty = case
    probed: list[int] = []

    def is_green(length: int) -> bool:
        probed.append(length)
        return length <= guilty

    assert first_red(count, is_green) == guilty
    assert len(probed) == len(set(probed)) <= ceil(log2(count))
    assert all(0 < length < count for length in probed)


@given(st.integers(1, 60), st.sets(st.integers(0, 59), min_size=1, max_size=5))
def test_every_guilty_patch_is_taken_out_and_no_other(count: int, bad: set[int]) -> None:
    bad = {number for number in bad if number < count} or {0}
    verdict = find_guilty(count, lambda kept: not bad & set(kept))
    assert verdict.guilty == tuple(sorted(bad))
    assert verdict.probes <= len(bad) * (ceil(log2(count)) + 1)


def test_two_bad_of_fifty_take_at_most_fourteen_runs() -> None:
    worst = max(
        find_guilty(50, lambda kept, bad={one, two}: not bad & set(kept)).probes
        for one in range(50)
        for two in range(one)
    )
    assert worst <= 14


def test_of_a_pair_that_fails_only_together_the_later_one_is_named() -> None:
    verdict = find_guilty(20, lambda kept: not {4, 13} <= set(kept))
    assert verdict.guilty == (13,)


def test_a_green_batch_is_probed_once_when_nothing_is_known() -> None:
    assert find_guilty(8, lambda _: True, known_red=False) == Verdict((), 1)
