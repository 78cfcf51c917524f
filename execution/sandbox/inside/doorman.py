"""The doorman: opens files and tells their facts, for the runs of a zygote without a file system of its own.

There, Landlock alone would stand between a bot and the machine's files, and it hides no names. So the kernel
stops each `openat` and `newfstatat` of a run and puts it before the doorman (seccomp's user notification). He
reads the path once out of the run's memory, where it may change afterwards as it likes, and opens it himself,
below the readable places only. Then he hands the file over, or writes its facts into the run's memory. For a
run nothing else exists, and no links do: each name is what it leads to. He is under Landlock too: what files
hold lies behind both walls.

He is a process of his own, so that the zygote reads no byte that a bot wrote. When he ends, the zygote does.
"""

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from . import landlock, lockdown
from .policy import WORD, WRITING
from .seccomp import system_calls

MOST_NAMES = 50_000  # that one run may name; importing all libraries takes 9,000
_LONGEST_PATH = 4096  # bytes, its end included

# <linux/seccomp.h>: struct seccomp_notif with the call's number, machine and arguments; seccomp_notif_resp;
# seccomp_notif_addfd
_NOTICE, _REPLY, _FILE = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI"), struct.Struct("QIIII")
_RECEIVE, _SEND, _ADD_FILE = 0xC0502100, 0xC0182101, 0x40182103
_AND_ANSWER = 2  # SECCOMP_ADDFD_FLAG_SEND, since Linux 5.14
_WORKING_FOLDER = -100 & WORD  # AT_FDCWD
_HIGHEST_ADDRESS = (1 << 63) - 1

_OPENAT2 = 437  # the same on every machine
_HOW = struct.Struct("3Q")  # struct open_how: flags, mode, resolve
_BENEATH = 0x08 | 0x02  # RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS
_FOR_THE_RUN = os.O_DIRECTORY | os.O_NOFOLLOW  # of the flags that it asks for
_FACTS_BYTES = {"x86_64": 144, "aarch64": 128}  # struct stat, as the kernel has it

_NEWCOMERS = 3
_ABOVE_ALL = 1 << 30
_FAILED = 70  # exit status; EX_SOFTWARE

_libc = ctypes.CDLL(None, use_errno=True)


def hire(readable: Iterable[str], *, ruleset: int | None, zygote: int) -> tuple[int, int]:
    """Fork the doorman; return his handle, and the socket over which each run makes itself known to him.

    `ruleset` is Landlock's, None where it is left out, `zygote` the id of this process.
    """
    ours, his = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            lockdown.die_with_zygote(zygote)
            if ruleset is not None:
                landlock.apply(ruleset)
            os.dup2(his.fileno(), _NEWCOMERS)
            os.closerange(_NEWCOMERS + 1, _ABOVE_ALL)
            _Doorman(readable).serve()
        finally:
            os._exit(_FAILED)
    his.close()
    return os.pidfd_open(pid), ours.detach()


def introduce(door: int, *, listener: int, memory: int) -> None:
    """Make this run known to the doorman, over his socket `door`, and keep none of the three descriptors.

    At the `listener` its calls are heard; in its `memory` are the paths that they name, and room for answers.
    """
    with socket.socket(fileno=door) as doorman:
        socket.send_fds(doorman, [b"R"], [listener, memory])
    os.close(listener)
    os.close(memory)


class _Guest:
    """One run."""

    def __init__(self, listener: int, memory: int) -> None:
        self.listener = listener
        self.memory = memory
        self.names = 0

    def leave(self) -> None:
        os.close(self.listener)
        os.close(self.memory)


class _Doorman:
    def __init__(self, readable: Iterable[str]) -> None:
        machine = os.uname().machine
        self._calls = system_calls(machine)
        self._facts_bytes = _FACTS_BYTES[machine]
        self._newcomers = socket.socket(fileno=_NEWCOMERS)
        self._guests: dict[int, _Guest] = {}  # by listener
        self._folders = {
            os.fsencode(place): os.open(place, os.O_PATH | os.O_CLOEXEC)
            for place in readable
            if Path(place).is_dir()
        }
        self._files = {
            os.fsencode(place) for place in readable if Path(place).exists()
        } - self._folders.keys()
        self._events = select.epoll()
        self._events.register(_NEWCOMERS, select.EPOLLIN)

    def serve(self) -> NoReturn:
        while True:
            for descriptor, event in self._events.poll():
                if descriptor == _NEWCOMERS:
                    self._welcome()
                elif event & select.EPOLLHUP:  # it has ended
                    self._see_out(self._guests[descriptor])
                else:
                    self._attend(self._guests[descriptor])

    def _welcome(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._newcomers, 1, 2)
        if not message:  # the zygote has ended
            os._exit(0)
        guest = _Guest(*descriptors)
        self._guests[guest.listener] = guest
        self._events.register(guest.listener, select.EPOLLIN)

    def _see_out(self, guest: _Guest) -> None:
        del self._guests[guest.listener]
        guest.leave()

    def _attend(self, guest: _Guest) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(guest.listener, _RECEIVE, notice)
        except FileNotFoundError:  # whoever asked has ended meanwhile
            return
        guest.names += 1
        if guest.names > MOST_NAMES:
            self._see_out(guest)  # for whom neither call then exists
            return
        call, _, _, number, _, _, folder, path_at, third, fourth, *_ = _NOTICE.unpack(notice)
        try:
            path = self._path(_text_at(guest.memory, path_at), folder & WORD)
            if number == self._calls["openat"]:
                self._hand_over(guest, call, path, third & WORD)
            else:
                self._tell_facts(guest, call, path, third)
        except OSError as error:
            _answer(guest.listener, call, error.errno or errno.EACCES)

    def _hand_over(self, guest: _Guest, call: int, path: bytes, flags: int) -> None:
        if flags & WRITING:
            raise PermissionError(errno.EACCES, "for reading only")
        file = self._open(path, flags & _FOR_THE_RUN)
        try:
            for_run = flags & os.O_CLOEXEC
            fcntl.ioctl(guest.listener, _ADD_FILE, _FILE.pack(call, _AND_ANSWER, file, 0, for_run))
        finally:
            os.close(file)

    def _tell_facts(self, guest: _Guest, call: int, path: bytes, address: int) -> None:
        facts = ctypes.create_string_buffer(self._facts_bytes)
        file = self._open(path, os.O_PATH)
        try:
            if _libc.syscall(self._calls["fstat"], file, facts) != 0:
                raise OSError(ctypes.get_errno(), "fstat")
        finally:
            os.close(file)
        _write_at(guest.memory, address, bytes(facts))
        _answer(guest.listener, call, 0)

    def _path(self, path: bytes, folder: int) -> bytes:
        """Return the path from the root folder, where every run works."""
        if path.startswith(b"/"):
            return path
        if folder != _WORKING_FOLDER:
            raise PermissionError(errno.EACCES, "by paths from the root only")
        return b"/" + path

    def _open(self, path: bytes, flags: int) -> int:
        if path in self._files:
            return os.open(path, flags | os.O_CLOEXEC)
        for place, handle in self._folders.items():
            if path == place or path.startswith(place + b"/"):
                return _open_beneath(handle, path[len(place) :].lstrip(b"/") or b".", flags | os.O_CLOEXEC)
        raise FileNotFoundError(errno.ENOENT, "not for runs")


def _text_at(memory: int, address: int) -> bytes:
    if address > _HIGHEST_ADDRESS:
        raise OSError(errno.EFAULT, "no address")
    text, end, _ = os.pread(memory, _LONGEST_PATH, address).partition(b"\0")
    if not end:
        raise OSError(errno.ENAMETOOLONG, "no end")
    return text


def _write_at(memory: int, address: int, data: bytes) -> None:
    """Write into the run's memory and no other: its descriptor is bound to it, and outlives no run."""
    if address > _HIGHEST_ADDRESS or os.pwrite(memory, data, address) != len(data):
        raise OSError(errno.EFAULT, "no room")


def _open_beneath(folder: int, path: bytes, flags: int) -> int:
    how = _HOW.pack(flags, 0, _BENEATH)
    file: int = _libc.syscall(_OPENAT2, folder, path, how, ctypes.c_size_t(len(how)))
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(errno.ENOENT if code == errno.EXDEV else code, "openat2")  # EXDEV: it leads out
    return file


def _answer(listener: int, call: int, code: int) -> None:
    """Answer a call with an error's code, 0 for none."""
    try:
        fcntl.ioctl(listener, _SEND, _REPLY.pack(call, 0, -code, 0))
    except FileNotFoundError:  # whoever asked has ended meanwhile
        return
