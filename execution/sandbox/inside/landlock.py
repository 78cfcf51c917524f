"""Landlock: the kernel refuses this process every file but those below named places, and all of the network.

A ruleset is made once, by the zygote; each run applies it to itself.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

# The same on every machine.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# How many rights to files each version of the interface knows, from its first on.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of the kernel's Landlock, 0 where there is none."""
    found: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(0, found)


def make_ruleset(readable: Iterable[str]) -> int:
    """Return a ruleset's descriptor: reading below the `readable` places, and nothing else.

    Raises OSError where the kernel has no Landlock.
    """
    known = version()
    rights = (1 << _FILE_RIGHTS[min(known, len(_FILE_RIGHTS)) - 1]) - 1
    network = _BIND_AND_CONNECT if known >= _NETWORK_SINCE else 0
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if known >= _SCOPES_SINCE else 0
    handled = struct.pack("QQQ", rights, network, scopes)[: 8 + 8 * bool(network) + 8 * bool(scopes)]
    ruleset = _call(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    for place in readable:
        with contextlib.suppress(FileNotFoundError):  # what is not there cannot be read
            _allow_reading(ruleset, place)
    return ruleset


def apply(ruleset: int) -> None:
    """Put this process, which can gain no new privileges, under the ruleset for good. Raises OSError."""
    _call(_RESTRICT_SELF, ruleset, 0)


def _allow_reading(ruleset: int, place: str) -> None:
    folder_right = _READ_FOLDER if Path(place).is_dir() else 0
    descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", _READ_FILE | folder_right, descriptor)
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
