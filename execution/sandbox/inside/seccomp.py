"""The system calls that a bot's process may not make, as a table, and the kernel filter made from it.

A first filter: everything else is allowed. It names what any process may call without a capability and what
reaches beyond the process: other programs, other processes, namespaces, the network, and the corners of the
kernel where most privilege escalations were found. The kernel refuses the rest for want of capabilities.
"""

import ctypes
import errno
import os
import struct

# name: (number on x86_64, number on aarch64); None where the machine has no such call
FORBIDDEN_CALLS: dict[str, tuple[int | None, int | None]] = {
    # programs and processes; `clone` is below, since threads come from it too
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # the network, and file descriptors sent through the control socket
    "socket": (41, 198),
    "socketpair": (53, 199),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    # memory that is shared or counts as nobody's
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # corners of the kernel
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    "splice": (275, 76),
    "tee": (276, 77),
    "vmsplice": (278, 75),
    "modify_ldt": (154, None),
}

# AUDIT_ARCH of <linux/audit.h>, and which column of the table
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_CLONE, _CLONE3, _MMAP = (56, 220), (435, 435), (9, 222)
_X32_CALLS = 0x40000000  # x86_64's second set of numbers, for 32-bit pointers

_CLONE_THREAD = 0x00010000
_MAP_SHARED_ANONYMOUS = 0x01 | 0x20
_MAP_GROWSDOWN = 0x0100

# <linux/bpf_common.h>: load a word, compare with a constant, mask, return
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6], low word first
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL_PROCESS, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_program(machine: str) -> bytes:
    """Return the filter for a machine as `os.uname` names it. Raises KeyError for one without a table."""
    audit_name, column = _MACHINES[machine]
    forbidden = [numbers[column] for numbers in FORBIDDEN_CALLS.values()]
    refuse = _step(_RETURN, _ERROR | errno.EPERM)
    return b"".join(
        [
            _step(_LOAD, _MACHINE_AT),
            _step(_IF_EQUAL, audit_name, then=1),
            _step(_RETURN, _KILL_PROCESS),
            _step(_LOAD, _NUMBER_AT),
            _step(_IF_AT_LEAST, _X32_CALLS, otherwise=1),
            _step(_RETURN, _KILL_PROCESS),
            # Its flags lie in memory, where no filter can look. The C library then takes `clone`.
            _step(_IF_EQUAL, _CLONE3[column], otherwise=1),
            _step(_RETURN, _ERROR | errno.ENOSYS),
            *(_step(_IF_EQUAL, number, otherwise=1) + refuse for number in forbidden if number is not None),
            _step(_IF_EQUAL, _CLONE[column], otherwise=4),
            _step(_LOAD, _ARGUMENTS_AT),
            _step(_IF_ANY_BIT, _CLONE_THREAD, then=1),
            refuse,
            _step(_RETURN, _ALLOW),
            # RLIMIT_DATA counts neither shared anonymous memory nor what says that it is a stack.
            _step(_IF_EQUAL, _MMAP[column], otherwise=5),
            _step(_LOAD, _ARGUMENTS_AT + 3 * 8),
            _step(_IF_ANY_BIT, _MAP_GROWSDOWN, then=2),
            _step(_AND, _MAP_SHARED_ANONYMOUS),
            _step(_IF_EQUAL, _MAP_SHARED_ANONYMOUS, otherwise=1),
            refuse,
            _step(_RETURN, _ALLOW),
        ]
    )


def install(libc: ctypes.CDLL) -> None:
    """Apply the filter to this process for good. Raises OSError when the kernel refuses it."""
    program = filter_program(os.uname().machine)
    argument = _Program(len(program) // 8, program)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(argument), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the seccomp filter")


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; `then` and `otherwise` are how many to skip."""
    return struct.pack("<HBBI", code, then, otherwise, value)
