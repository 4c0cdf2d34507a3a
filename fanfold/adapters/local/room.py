"""What is fresh for each command of a sandbox: namespaces, /proc, empty folders. Runs as text."""

from __future__ import annotations

import ctypes
import os
import stat

from fanfold.adapters.local.seccomp import checked

NEW_MOUNTS, NEW_HOST, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = (
    *(0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000),
)
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, DETACHED = 0x20, 0x1000, 0x4000, 2
# Parts of /proc that show or change the machine: read-only, or not to be seen at all.
KERNELS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "driver")
UNSEEN = ("acpi", "kcore", "keys", "key-users", "latency_stats", "sched_debug", "scsi")
LAST_CAPABILITY, CAPABILITIES = 63, 0x20080522
DUMPABLE, DROP, AMBIENT, CLEAR = 4, 24, 47, 4
MOST_NAMESPACES = "user/max_user_namespaces"

# Where an empty folder is to be, its mode; then what is mounted below it, to be there again.
Empty = list[tuple[str, str, list[str]]]


def mount(
    libc: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    encoded = (os.fsencode(source), os.fsencode(target), kind and kind.encode())
    checked(libc.mount(*encoded, flags, data.encode() or None))


def mounted_below(folders: list[tuple[str, str]]) -> Empty:
    """Each of `folders`, places with modes, with the outermost mounts in it."""
    with open("/proc/self/mountinfo") as file:  # noqa: PTH123
        points = [os.fsdecode(_plain(line.split()[4])) for line in file]
    found: Empty = []
    for place, mode in folders:
        inside = sorted({point for point in points if point.startswith(f"{place}/")})
        outermost: list[str] = []
        for point in inside:
            if not any(point.startswith(f"{outer}/") for outer in outermost):
                outermost.append(point)
        found.append((place, mode, outermost))
    return found


def _plain(point: str) -> bytes:
    """As the kernel escapes blanks in a path."""
    return point.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")


def lay_over(libc: ctypes.CDLL, folder: str, overlays: list[tuple[str, str]]) -> None:
    """Show each path below `folder` over what is `lower` in a place, changes being its `own`."""
    for path, place in overlays:
        own = f"{place}/own"
        options = f"lowerdir={place}/lower,upperdir={own}/upper,workdir={own}/work,userxattr"
        mount(libc, "overlay", f"{folder}/{path}", "overlay", NO_SUID | NO_DEVICES, options)
        for part in (own, f"{place}/lower"):
            checked(libc.umount2(os.fsencode(part), DETACHED))


def enter_namespaces(libc: ctypes.CDLL) -> None:
    checked(libc.unshare(NEW_MOUNTS | NEW_HOST | NEW_IPC | NEW_NETWORK))


def furnish(libc: ctypes.CDLL, empty: Empty, size: int) -> int:
    """Mount all that is fresh; gives a descriptor of /proc/sys as it can be written."""
    for place, mode, inside in empty:
        kept = [(os.open(point, os.O_PATH), point) for point in inside]
        options = f"mode={mode},size={size}"
        mount(libc, "tmpfs", place, "tmpfs", NO_SUID | NO_DEVICES, options)
        for descriptor, point in kept:
            _make_place(point, os.fstat(descriptor).st_mode)
            mount(libc, f"/proc/self/fd/{descriptor}", point, None, BIND | RECURSIVE)
            os.close(descriptor)
    mount(libc, "proc", "/proc", "proc", NO_SUID | NO_DEVICES | NO_PROGRAMS)
    kernel = os.open("/proc/sys", os.O_PATH | os.O_CLOEXEC)
    for name in KERNELS:
        _cover(libc, f"/proc/{name}")
    for name in UNSEEN:
        _hide(libc, f"/proc/{name}")
    return kernel


def _make_place(point: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        os.makedirs(point, 0o755, exist_ok=True)  # noqa: PTH103
        return
    os.makedirs(os.path.dirname(point), 0o755, exist_ok=True)  # noqa: PTH103, PTH120
    os.close(os.open(point, os.O_CREAT | os.O_WRONLY, 0o644))


def _cover(libc: ctypes.CDLL, place: str) -> None:
    if os.path.exists(place):  # noqa: PTH110
        mount(libc, place, place, None, BIND)
        flags = READ_ONLY | NO_SUID | NO_DEVICES | NO_PROGRAMS
        mount(libc, "none", place, None, REMOUNT | BIND | flags)


def _hide(libc: ctypes.CDLL, place: str) -> None:
    if os.path.isdir(place):  # noqa: PTH112
        mount(libc, "tmpfs", place, "tmpfs", READ_ONLY | NO_SUID | NO_DEVICES)
    elif os.path.exists(place):  # noqa: PTH110
        mount(libc, "/dev/null", place, None, BIND)


def give_up_capabilities(libc: ctypes.CDLL) -> None:
    """All of them, for good, and for whatever this process starts."""
    for capability in range(LAST_CAPABILITY):
        if libc.prctl(DROP, capability, 0, 0, 0):
            break
    give_up_own_capabilities(libc)


def give_up_own_capabilities(libc: ctypes.CDLL) -> None:
    """All that this process has, which starts nothing more."""
    libc.prctl(AMBIENT, CLEAR, 0, 0, 0)
    nothing = ctypes.create_string_buffer(bytes(24), 24)
    head = CAPABILITIES.to_bytes(4, "little") + bytes(4)
    checked(libc.capset(head, nothing))


def enter_last_user_namespace(libc: ctypes.CDLL, user: int, group: int, kernel: int) -> None:
    """Be the user again that this process is outside, where there are no capabilities to be had.

    `kernel` is /proc/sys: no namespace of users can be made in this one.
    """
    checked(libc.unshare(NEW_USER))
    for name, content in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"{user} 0 1"),
        ("/proc/self/gid_map", f"{group} 0 1"),
    ):
        _write(os.open(name, os.O_WRONLY), content)
    _write(os.open(MOST_NAMESPACES, os.O_WRONLY, dir_fd=kernel), "0")
    os.close(kernel)
    give_up_capabilities(libc)


def _write(descriptor: int, content: str) -> None:
    try:
        os.write(descriptor, content.encode())
    finally:
        os.close(descriptor)
