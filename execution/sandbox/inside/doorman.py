"""The doorman: opens files for the runs of a zygote that has no file system of its own.

There, Landlock alone would stand between a bot and the machine's files. So the kernel stops each `openat` of
a run and puts it before the doorman (seccomp's user notification). He reads the path once out of the run's
memory, where it may change afterwards as it likes, opens it himself, below the readable places only, and
hands the file over. For a run nothing else exists. He is under Landlock too: files lie behind both walls.

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

MOST_OPENS = 20_000  # by one run; importing all libraries takes a few thousand
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

    At the `listener` its calls are heard, and in its `memory` are the paths that they name.
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
        self.opens = 0

    def leave(self) -> None:
        os.close(self.listener)
        os.close(self.memory)


class _Doorman:
    def __init__(self, readable: Iterable[str]) -> None:
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
        guest.opens += 1
        if guest.opens > MOST_OPENS:
            self._see_out(guest)  # for whom openat then does not exist
            return
        call, _, _, _, _, _, folder, address, flags, *_ = _NOTICE.unpack(notice)
        try:
            file = self._open(_path_at(guest.memory, address), folder & WORD, flags & WORD)
            try:
                for_run = flags & os.O_CLOEXEC
                fcntl.ioctl(guest.listener, _ADD_FILE, _FILE.pack(call, _AND_ANSWER, file, 0, for_run))
            finally:
                os.close(file)
        except OSError as error:
            _refuse(guest.listener, call, error.errno or errno.EACCES)

    def _open(self, path: bytes, folder: int, flags: int) -> int:
        if flags & WRITING:
            raise PermissionError(errno.EACCES, "for reading only")
        flags = flags & _FOR_THE_RUN | os.O_CLOEXEC
        if not path.startswith(b"/"):
            if folder != _WORKING_FOLDER:
                raise PermissionError(errno.EACCES, "by paths from the root only")
            path = b"/" + path  # where every run works
        if path in self._files:
            return os.open(path, flags)
        for place, handle in self._folders.items():
            if path == place or path.startswith(place + b"/"):
                return _open_beneath(handle, path[len(place) :].lstrip(b"/") or b".", flags)
        raise FileNotFoundError(errno.ENOENT, "not for runs")


def _path_at(memory: int, address: int) -> bytes:
    if address > _HIGHEST_ADDRESS:
        raise OSError(errno.EFAULT, "no address")
    path, end, _ = os.pread(memory, _LONGEST_PATH, address).partition(b"\0")
    if not end:
        raise OSError(errno.ENAMETOOLONG, "no end")
    return path


def _open_beneath(folder: int, path: bytes, flags: int) -> int:
    how = _HOW.pack(flags, 0, _BENEATH)
    file: int = _libc.syscall(_OPENAT2, folder, path, how, ctypes.c_size_t(len(how)))
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(errno.ENOENT if code == errno.EXDEV else code, "openat2")  # EXDEV: it leads out
    return file


def _refuse(listener: int, call: int, code: int) -> None:
    try:
        fcntl.ioctl(listener, _SEND, _REPLY.pack(call, 0, -code, 0))
    except FileNotFoundError:  # whoever asked has ended meanwhile
        return
