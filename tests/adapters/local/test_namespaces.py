"""Why no namespace can be made, told with the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.namespaces import namespace_mend

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
        ("apparmor_restrict_unprivileged_userns", "0", "it said so"),
        ("unprivileged_userns_clone", "0", "unprivileged_userns_clone=1"),
        ("", "", "it said so"),
    ],
)
def test_the_reason_is_found_in_the_settings_of_the_kernel(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    if name:
        (tmp_path / name).write_text(f"{value}\n")
    assert told in namespace_mend("it said so", tmp_path)
