"""Turn a policy into a program for the kernel, and apply it."""

import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from .policy import KILL, NEW_LISTENER, UNDISTURBED, WORD, Check, IfNull, Policy, Rule

# <linux/bpf_common.h>: load a word, compare with a constant, go on further down, mask, return
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _SKIP, _AND, _RETURN = 0x20, 0x15, 0x35, 0x05, 0x54, 0x06
_LONGEST_BRANCH = 255  # steps that a comparison can skip
# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6], low word first
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16

_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_* of <linux/audit.h>
_X32_CALLS = 0x40000000  # x86_64's second set of numbers, for 32-bit pointers

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_SECCOMP_SET_MODE_FILTER = 1

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Filter:
    """A program that is ready to be applied, in this process or in one that is forked from it."""

    def __init__(self, policy: Policy, default: int) -> None:
        machine = os.uname().machine
        code = compile_policy(policy, default, machine)
        self._seccomp = system_calls(machine)["seccomp"]
        self._program = _Program(len(code) // 8, code)

    def apply(self) -> None:
        """Put this process, which can gain no new privileges, under the filter for good. Raises OSError."""
        program = ctypes.byref(self._program)
        if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused the system call filter")

    def apply_with_listener(self) -> int:
        """Apply it, and return the descriptor that hears of the calls which it asks about. Raises OSError."""
        program = ctypes.byref(self._program)
        for flags in (NEW_LISTENER | UNDISTURBED, NEW_LISTENER):  # the first an older kernel does not know
            listener: int = _libc.syscall(self._seccomp, _SECCOMP_SET_MODE_FILTER, flags, program)
            if listener >= 0:
                return listener
        raise OSError(ctypes.get_errno(), "the kernel refused the system call filter with a listener")


def compile_policy(policy: Policy, default: int, machine: str) -> bytes:
    """Return the program (struct sock_filter[]) for a machine as `os.uname` names it.

    Calls that the machine lacks are left out. Raises KeyError for a machine or a call without a number.
    """
    audit_name = _MACHINES[machine]
    numbers = system_calls(machine)
    rules = {number: rule for name, rule in policy.items() if (number := numbers[name]) is not None}
    # Where the answer changes, from 0 on.
    answers: list[tuple[int, Rule]] = []
    for number in sorted({0, *rules, *(known + 1 for known in rules)}):
        rule = rules.get(number, default)
        if not answers or rule != answers[-1][1]:
            answers.append((number, rule))
    return b"".join(
        [
            _step(_LOAD, _MACHINE_AT),
            _step(_IF_EQUAL, audit_name, then=1),
            _step(_RETURN, KILL),
            _step(_LOAD, _NUMBER_AT),
            _step(_IF_AT_LEAST, _X32_CALLS, otherwise=1),
            _step(_RETURN, KILL),
            _search(answers),
        ]
    )


def system_calls(machine: str) -> dict[str, int | None]:
    """Return each known call's number on the machine, None where it has no such call."""
    column = 1 + list(_MACHINES).index(machine)
    lines = Path(__file__).with_name("system_calls.txt").read_text().splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return {row[0]: None if row[column] == "-" else int(row[column]) for row in rows}


def _search(answers: Sequence[tuple[int, Rule]]) -> bytes:
    """The steps from a call's number to its answer, by halves.

    Each run has the kernel take a filter, and then it goes through the filter for every number that there is.
    """
    if len(answers) == 1:
        rule = answers[0][1]
        return _step(_RETURN, rule) if isinstance(rule, int) else _checks(rule)
    middle = len(answers) // 2
    lower, upper = _search(answers[:middle]), _search(answers[middle:])
    least, length = answers[middle][0], len(lower) // 8
    if length <= _LONGEST_BRANCH:
        return b"".join([_step(_IF_AT_LEAST, least, then=length), lower, upper])
    return b"".join([_step(_IF_AT_LEAST, least, otherwise=1), _step(_SKIP, length), lower, upper])


def _checks(check: Check) -> bytes:
    steps = []
    for test in check.tests:
        low = _ARGUMENTS_AT + 8 * test.argument
        answer = _step(_RETURN, test.then)
        if isinstance(test, IfNull):
            steps += [_step(_LOAD, low), _step(_IF_EQUAL, 0, otherwise=3)]
            steps += [_step(_LOAD, low + 4), _step(_IF_EQUAL, 0, otherwise=1), answer]
            continue
        steps.append(_step(_LOAD, low))
        if test.mask != WORD:
            steps.append(_step(_AND, test.mask))
        for value in test.values:
            steps += [_step(_IF_EQUAL, value, otherwise=1), answer]
    return b"".join([*steps, _step(_RETURN, check.otherwise)])


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; `then` and `otherwise` are how many to skip."""
    return struct.pack("<HBBI", code, then, otherwise, value)
