"""What the process gives up, step by step, before it reads a byte of the bot."""

import ctypes
import math
import os
import resource
import struct

from . import seccomp

_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_HIGHEST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522  # of <linux/capability.h>: three sets of 64 bits, as two halves

_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_MSGQUEUE: 0,
    resource.RLIMIT_SIGPENDING: 64,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_NPROC: 32,  # threads: the system call filter lets no process start
    resource.RLIMIT_STACK: 8 << 20,
}

_libc = ctypes.CDLL(None, use_errno=True)


def change_user(uid: int) -> None:
    """Turn from root into the user and group `uid`, with no other group and no capability, for good."""
    for capability in range(_HIGHEST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel knows none beyond
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if _libc.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused to take the capabilities back")


def lock_down() -> None:
    """Set every limit that is the same for all runs, and the system call filter."""
    for limit, value in _LIMITS.items():
        _lower(limit, value, value)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    seccomp.install(_libc)


def limit_run(*, cpu_seconds: int, data_bytes: int, address_space_bytes: int) -> None:
    """Set what differs from run to run. CPU time that was used so far is not held against the bot."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    last_second = math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds
    # The first signal can be caught, the one at the hard limit cannot.
    _lower(resource.RLIMIT_CPU, last_second, last_second + 1)
    _lower(resource.RLIMIT_DATA, data_bytes, data_bytes)
    _lower(resource.RLIMIT_AS, address_space_bytes, address_space_bytes)


def _lower(limit: int, soft: int, hard: int) -> None:
    """Set a limit, or keep the one that the operator has set lower."""
    _, allowed = resource.getrlimit(limit)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    resource.setrlimit(limit, (soft, hard))
