"""Why bubblewrap cannot make namespaces on this machine, and the command that mends it."""

from __future__ import annotations

from pathlib import Path


def namespace_mend(said: str, kernel: Path = Path("/proc/sys/kernel")) -> str:
    """The reason that this machine gives, else what bubblewrap `said`."""
    restricted = kernel / "apparmor_restrict_unprivileged_userns"
    if restricted.is_file() and restricted.read_text().strip() == "1":
        return (
            "AppArmor keeps bubblewrap from making user namespaces (Ubuntu 24.04): "
            "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give bwrap a profile"
        )
    clone = kernel / "unprivileged_userns_clone"
    if clone.is_file() and clone.read_text().strip() == "0":
        return "user namespaces are off: `sudo sysctl kernel.unprivileged_userns_clone=1`"
    return f"bubblewrap cannot contain commands here: {said}"
