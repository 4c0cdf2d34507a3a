"""The ladder before the arbiter: rules that settle a conflict no model is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanfold.patch.content import Resolved, Text


def settle(_text: Text) -> Resolved | None:
    """The merged file, or None when a person or a model must decide."""
    return None
