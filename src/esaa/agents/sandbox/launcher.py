"""The last program before a confined one: it limits and confines itself, then becomes the program.

Run as `python -I -S launcher.py SPEC PROGRAM [ARGUMENTS]`; it imports the standard library alone. `SPEC` is JSON:
`limits` (rlimits by name), `processes`, `control_groups` (files to enter), `landlock` (paths to `read`, `list`,
`write`, and `devices`), `sockets` (`inet`, `none`) and `is_scoped`. Ends with 125 where it cannot confine:
nothing runs unconfined.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import stat
import struct
import sys
from collections.abc import Iterable
from typing import Any

CANNOT_CONFINE = 125
CANNOT_START = 127
ABI_MIN = 3
"""Before version 3, Landlock let files be truncated that could not be written."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL = 24, 47, 4
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract sockets and signals
_FILE_RIGHTS = {3: (1 << 15) - 1, 4: (1 << 15) - 1}
_FILE_RIGHTS_LATER = (1 << 16) - 1

# Architecture: its audit number, socket(2). io_uring can make sockets as well, and has one number everywhere.
_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425
_X32_BIT = 0x40000000
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EACCES, _ENOSYS = 13, 38


class CannotConfine(Exception):
    """The kernel refused a part of it."""


def main(arguments: list[str]) -> int:
    """Confines this process and becomes the program."""
    spec: dict[str, Any] = json.loads(arguments[0])
    try:
        confine(spec)
    except (OSError, ValueError, CannotConfine) as error:
        sys.stderr.write(f"esaa sandbox: cannot confine: {error}\n")
        return CANNOT_CONFINE
    if spec.get("is_merged"):
        os.dup2(1, 2)
    try:
        os.execvp(arguments[1], arguments[1:])  # noqa: S606  # it becomes what it confined itself for
    except OSError as error:
        sys.stderr.write(f"esaa sandbox: {arguments[1]} cannot be started: {error.strerror}\n")
        return CANNOT_START


def confine(spec: dict[str, Any]) -> None:
    """Enters the control groups, sets the limits, and gives the rights away; there is no way back."""
    for path in spec.get("control_groups", ()):
        with open(path, "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))
    for name, value in spec.get("limits", {}).items():
        _limit(getattr(resource, f"RLIMIT_{name}"), value)
    counted_before = 0 if spec.get("is_counted_apart") else _threads_of_user()
    _limit(resource.RLIMIT_NPROC, spec["processes"] + counted_before)
    if not spec.get("is_counted_apart") and platform.system() == "Linux":
        # Whoever started this may be killed; then nobody would end it. In name spaces of its own, bwrap does.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    landlock, is_scoped = spec.get("landlock"), spec.get("is_scoped", False)
    if landlock is None and not is_scoped:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise CannotConfine("the kernel does not forbid new privileges")
    if landlock is not None:
        _drop_capabilities(libc)
    _restrict(libc, landlock, has_network=spec.get("sockets") != "none")
    if landlock is not None:
        _filter_sockets(libc, spec["sockets"])


def landlock_abi() -> int:
    """The version of Landlock that this kernel has; 0 where it has none."""
    if platform.system() != "Linux":
        return 0
    return max(0, int(ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)))


def filters_sockets() -> bool:
    """True where the socket filter knows this machine's architecture."""
    return platform.machine() in _ARCHITECTURES


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _threads_of_user() -> int:
    # The limit counts what the user runs already, wherever it was started.
    count, user = 0, os.getuid()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def _drop_capabilities(libc: Any) -> None:
    """Root keeps nothing but its name: some capabilities pass by Landlock, such as reading other processes' memory."""
    if os.geteuid() == 0:
        capability = 0
        while libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
            capability += 1
    libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0)
    number = _CAPSET.get(platform.machine())
    if number is None:
        raise CannotConfine(f"no way to drop capabilities on {platform.machine()}")
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
    if libc.syscall(number, header, none) != 0:
        raise CannotConfine(f"capabilities stay: {os.strerror(ctypes.get_errno())}")


def _restrict(libc: Any, paths: dict[str, list[str]] | None, *, has_network: bool) -> None:
    abi = landlock_abi()
    if abi < ABI_MIN:
        raise CannotConfine(f"Landlock {abi} is older than {ABI_MIN}")
    files = 0 if paths is None else _FILE_RIGHTS.get(abi, _FILE_RIGHTS_LATER)
    tcp = _TCP if paths is not None and abi >= 4 and not has_network else 0
    scopes = _SCOPES if abi >= 6 else 0
    # Older kernels take the longer structure as long as what they do not know is zero.
    attributes = struct.pack("=QQQ", files, tcp, scopes)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise CannotConfine(f"no Landlock ruleset: {os.strerror(ctypes.get_errno())}")
    if paths is not None:
        _allow(libc, ruleset, paths["read"], _READ)
        _allow(libc, ruleset, paths["list"], _READ_DIR)
        _allow(libc, ruleset, paths["write"], files & ~(_MAKE_CHAR | _MAKE_BLOCK))
        _allow(libc, ruleset, paths["devices"], _READ_FILE | _WRITE_FILE)
    if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise CannotConfine(f"Landlock was refused: {os.strerror(ctypes.get_errno())}")
    os.close(ruleset)


def _allow(libc: Any, ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # it went away; then there is nothing to allow
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        granted = rights if is_folder else rights & _OF_FILES
        # struct landlock_path_beneath_attr is packed: 8 and 4 bytes.
        rule = struct.pack("=Qi", granted, opened)
        failed = granted and libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0) != 0
        os.close(opened)
        if failed:
            raise CannotConfine(f"Landlock took no rule for {path}: {os.strerror(ctypes.get_errno())}")


def _filter_sockets(libc: Any, which: str) -> None:
    """Without it Landlock leaves datagrams, and sockets in the file system such as a container daemon's, open."""
    if not filters_sockets():
        raise CannotConfine(f"no socket filter for {platform.machine()}")
    audit, socket = _ARCHITECTURES[platform.machine()]
    families = (_AF_INET, _AF_INET6, _AF_NETLINK) if which == "inet" else ()
    refuse_after = len(families) + 1
    program = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),
        (_JUMP_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),
        (_JUMP_EQUAL, 0, refuse_after + 1, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *((_JUMP_EQUAL, refuse_after - 1 - place, 0, family) for place, family in enumerate(families)),
        (_RETURN, 0, 0, _REFUSE | _EACCES),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("=HBBI", *one) for one in program)
    held = ctypes.create_string_buffer(code, len(code))
    attributes = struct.pack("HxxxxxxP", len(program), ctypes.addressof(held))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, attributes, 0, 0) != 0:
        raise CannotConfine(f"no socket filter: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
