"""How agents in the cloud call their models, and at what prices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fanfold.settings import Credentials, credentials, from_environment

if TYPE_CHECKING:
    from fanfold.ports import Model, Prices
    from fanfold.run.attempt import Context, Usage


def model_of(model_pass: str, context: Context) -> Model:
    """Who has a pass shows it to the proxy in place of a key. Raises `MissingKey`."""
    from fanfold.bootstrap import models_of

    keys = credentials()
    if model_pass:
        keys = Credentials(auth_token=model_pass, base_url=keys.base_url)
    return models_of(from_environment(), keys)(context)


class LatePrices:
    """`ports.Prices`, loaded when the first is asked for, which control functions never do."""

    @cached_property
    def _prices(self) -> Prices:
        from fanfold.bootstrap import prices_of

        return prices_of(from_environment())

    def cost(self, model: str, usage: Usage) -> int:
        return self._prices.cost(model, usage)

    def worst_case(self, model: str, input_tokens: int, max_tokens: int) -> int:
        return self._prices.worst_case(model, input_tokens, max_tokens)

    def room(self, model: str) -> int:
        return self._prices.room(model)

    def affordable_tokens(self, model: str, input_tokens: int, budget: int) -> int:
        return self._prices.affordable_tokens(model, input_tokens, budget)
