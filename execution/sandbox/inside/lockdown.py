"""What a run's process gives up, step by step, before it reads a byte of the bot."""

import ctypes
import os
import resource
import signal
import struct

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_HIGHEST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522  # of <linux/capability.h>: three sets of 64 bits, as two halves

OPEN_FILES = 64
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_MSGQUEUE: 0,
    resource.RLIMIT_SIGPENDING: 64,
    resource.RLIMIT_STACK: 8 << 20,
}

_libc = ctypes.CDLL(None, use_errno=True)
_capset = _libc.capset  # looked up here, once, and not by each run


def limit_as_all_runs() -> None:
    """Set the limits that are the same for each run."""
    _limit(_LIMITS)


def limit(*, cpu_seconds: int, data_bytes: int, address_space_bytes: int, threads: int) -> None:
    """Set the limits of one run. At its CPU time the kernel kills the process; it is not asked first."""
    _limit(
        {
            resource.RLIMIT_NOFILE: OPEN_FILES,
            resource.RLIMIT_CPU: cpu_seconds,
            resource.RLIMIT_DATA: data_bytes,
            resource.RLIMIT_AS: address_space_bytes,
            resource.RLIMIT_NPROC: threads,
        }
    )


def _limit(limits: dict[int, int]) -> None:
    for name, value in limits.items():
        _, allowed = resource.getrlimit(name)
        # The operator may have set it lower.
        lowest = value if allowed == resource.RLIM_INFINITY else min(value, allowed)
        resource.setrlimit(name, (lowest, lowest))


def become(uid: int) -> None:
    """Turn from root into the user and group `uid`, with no other group."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def drop_bounding_set() -> None:
    """Give up every capability that a program could be started with, here and in forks; needs CAP_SETPCAP."""
    for capability in range(_HIGHEST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel knows none beyond


def drop_capabilities() -> None:
    """Give up every capability that this process has."""
    if _capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused to take the capabilities back")


def bar_new_privileges() -> None:
    """See to it that no program started from here has more rights; filters and Landlock demand it."""
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused to bar new privileges")


def open_own_memory() -> int:
    """Return a descriptor through which this process's memory can be read and written, as long as it lives.

    To be called without bot code about, and followed by `hide_memory`.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    return os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)


def hide_memory() -> None:
    """Keep other processes of the same user from looking into this one."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with_zygote(zygote: int | None) -> None:
    """End this process when its parent ends. To be called after the last change of user.

    `zygote` is the parent's id, None where it has none in this process's namespace.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if zygote is not None and zygote != os.getppid():  # it has ended already
        os._exit(1)
