"""For C libraries that ask for a descriptor's facts by `newfstatat` with an empty path (glibc 2.33 to 2.38).

No filter can look at a path, so it cannot let the empty one pass: the path may be another one by the time the
kernel reads it. It traps the call, and a handler in the process itself, where nothing rests on it, makes
`fstat` of it, which takes no path. For another path it answers that there is no such file.

A filter's trap may come in any thread, with the interpreter's lock held or not, so the handler is no Python.
"""

import ctypes
import mmap
import os
import signal
import struct

# void handler(int signal, siginfo_t *, ucontext_t *): the call's arguments are in the third's registers, and
# what is put into the first or into rax there is what the call returns.
_CODE = {
    "x86_64": bytes.fromhex(
        "488b4270"  # mov rax, [rdx + 112]: rsi, the path
        "803800"  # cmp byte [rax], 0
        "751a"  # jne missing
        "f6423910"  # test byte [rdx + 57], 0x10: r10, the flags, for AT_EMPTY_PATH
        "7414"  # jz missing
        "488b7a68"  # mov rdi, [rdx + 104]: the descriptor
        "488bb288000000"  # mov rsi, [rdx + 136]: rdx, the buffer
        "b805000000"  # mov eax, 5: fstat
        "0f05"  # syscall
        "eb07"  # jmp done
        "48c7c0feffffff"  # missing: mov rax, -2: ENOENT
        "48898290000000"  # done: mov [rdx + 144], rax
        "c3"  # ret
    ),
    "aarch64": struct.pack(
        "<13I",
        0xF9406049,  # ldr x9, [x2, 192]: x1, the path
        0x39400129,  # ldrb w9, [x9]
        0x35000109,  # cbnz w9, missing
        0xF9406849,  # ldr x9, [x2, 208]: x3, the flags
        0x366000C9,  # tbz w9, 12, missing: AT_EMPTY_PATH
        0xF9405C40,  # ldr x0, [x2, 184]: the descriptor
        0xF9406441,  # ldr x1, [x2, 200]: x2, the buffer
        0xD2800A08,  # mov x8, 80: fstat
        0xD4000001,  # svc 0
        0x14000002,  # b done
        0x92800020,  # missing: mov x0, -2: ENOENT
        0xF9005C40,  # done: str x0, [x2, 184]
        0xD65F03C0,  # ret
    ),
}
_ACTION = struct.Struct("P128xiP")  # struct sigaction: handler, signals to block, flags, restorer
_WITH_REGISTERS, _AGAIN = 0x4, 0x40000000  # SA_SIGINFO, SA_NODEFER

_libc = ctypes.CDLL(None, use_errno=True)
# Private: what forks have in common they could talk over.
_page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def set_handler() -> None:
    """Have this process, and those forked from it, handle the trap. Raises OSError, KeyError elsewhere."""
    code = _CODE[os.uname().machine]
    _page[: len(code)] = code
    address = ctypes.addressof(ctypes.c_char.from_buffer(_page))
    if _libc.mprotect(ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused to make the trap's handler")
    if _libc.sigaction(signal.SIGSYS, _ACTION.pack(address, _WITH_REGISTERS | _AGAIN, 0), None) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused the trap's handler")
