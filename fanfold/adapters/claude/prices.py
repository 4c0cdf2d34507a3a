"""Prices of Claude models from the `genai-prices` data, and from the user where it knows none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, cast

from fanfold.errors import InvalidSettings, UnpricedModel
from fanfold.run.rates import UNLIMITED, PriceList, Rate, per_million

if TYPE_CHECKING:
    from fanfold.run.attempt import Usage

WRITE_5M = Decimal("1.25")
WRITE_1H = Decimal(2)
DEAREST = 1_000_000
_KEYS = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "cache_read": ("cache_read_mtok",),
}
_FIELDS = tuple(_KEYS)
_BEDROCK = re.compile(r"^(?:[a-z-]+\.)?anthropic\.")
_VERSION = re.compile(r"(?:-latest|[-@]\d{8}|@[\w-]+|-\d{4}-\d{2}-\d{2})$")


class ModelPrices:
    """Prices by model id; Bedrock ids and ARNs, gateway prefixes, dates and aliases are understood.

    `overrides` is `[model.prices]` of fanfold.toml: dollars a million tokens by model id and
    usage class; cache classes left out follow from `input` (1.25 times, twice, once). Raises
    `InvalidSettings` for one that cannot be read. `known_as` gives the provider's own id of a
    model, by which its price is looked up.
    """

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        known_as: Callable[[str], str] = str,
    ) -> None:
        self._known_as = known_as
        self._lists = {name: _override(name, table) for name, table in (overrides or {}).items()}

    def cost(self, model: str, usage: Usage) -> int:
        """Micro-dollars for one call, rounded up. Raises `UnpricedModel`."""
        return self._list(model).cost(usage)

    def worst_case(self, model: str, input_tokens: int, max_tokens: int) -> int:
        """What no call within these tokens exceeds, whatever the cache does: `UnpricedModel`."""
        return self._list(model).worst_case(input_tokens, max_tokens)

    def room(self, model: str) -> int:
        """Tokens of input up to the next price step or the model's window. `UnpricedModel`."""
        return self._list(model).room

    def affordable_tokens(self, model: str, input_tokens: int, budget: int) -> int:
        """The largest `max_tokens` whose worst case fits `budget`, or 0. Raises `UnpricedModel`."""
        return self._list(model).affordable_tokens(input_tokens, budget)

    def _list(self, model: str) -> PriceList:
        found = self._lists.get(model)
        if found is None:
            name = self._known_as(model)
            found = self._lists[model] = self._lists.get(name) or _look_up(name)
        return found


def _look_up(model: str) -> PriceList:
    import genai_prices

    for provider, name in _candidates(model):
        try:
            found = genai_prices.calc_price(genai_prices.Usage(), name, provider_id=provider)
        except LookupError:
            continue
        return _price_list(found.model_price, found.model.context_window)
    raise UnpricedModel(
        f"no price is known for model {model!r}: add [model.prices.{model!r}] to fanfold.toml"
        " with input and output in dollars a million tokens"
    )


def _candidates(model: str) -> Iterator[tuple[str, str]]:
    """Provider and name to look for, the exact name first, then without its date or alias."""
    name = model.rpartition("/")[2]
    provider = "aws" if _BEDROCK.match(name) else "anthropic"
    yield provider, name
    if (plain := _VERSION.sub("", name)) != name:
        yield provider, plain


def _price_list(price: Any, window: int | None) -> PriceList:
    """A list with a step wherever any class has one."""
    named = {field: _first(price, keys) for field, keys in _KEYS.items()}
    starts = {0} | {tier.start for value in named.values() for tier in getattr(value, "tiers", ())}
    return PriceList(
        tuple(
            (start, _rate({f: _at(v, start) for f, v in named.items()})) for start in sorted(starts)
        ),
        window or UNLIMITED,
    )


def _first(price: Any, keys: tuple[str, ...]) -> Any:
    return next((value for key in keys if (value := getattr(price, key)) is not None), None)


def _at(value: Any, start: int) -> Decimal | None:
    """The price that holds above `start` tokens."""
    if value is None or isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if tier.start <= start and start > 0]
    return reached[-1] if reached else value.base


def _rate(dollars: Mapping[str, Decimal | None]) -> Rate:
    """Cache classes without a price of their own follow from `input`, on the dear side."""
    asked = dollars["input"] or Decimal(0)
    fallback = {
        "cache_write_5m": asked * WRITE_5M,
        "cache_write_1h": asked * WRITE_1H,
        "cache_read": asked,
    }
    known = {field: value for field, value in dollars.items() if value is not None}
    return Rate(**{field: per_million(value) for field, value in {**fallback, **known}.items()})


def _override(model: str, table: Any) -> PriceList:
    place = f"fanfold.toml: [model.prices.{model!r}]"
    if not isinstance(table, Mapping):
        raise InvalidSettings(
            f"{place}: must be a table with input and output in dollars a million tokens"
        )
    table = cast("Mapping[str, Any]", table)
    if unknown := sorted(set(table) - set(_FIELDS)):
        raise InvalidSettings(
            f"{place}: unknown key {unknown[0]!r}; known are {', '.join(_FIELDS)}"
        )
    if missing := [field for field in ("input", "output") if field not in table]:
        raise InvalidSettings(f"{place}: {missing[0]} is missing")
    given = {field: _dollars(f"{place}: {field}", value) for field, value in table.items()}
    return PriceList(((0, _rate({field: given.get(field) for field in _FIELDS})),))


def _dollars(place: str, value: Any) -> Decimal:
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        dollars = Decimal("NaN")
    if isinstance(value, bool) or not dollars.is_finite() or not 0 <= dollars <= DEAREST:
        raise InvalidSettings(
            f"{place}: {value!r} is not an amount of dollars between 0 and {DEAREST}"
        )
    return dollars
