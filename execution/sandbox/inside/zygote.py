"""The zygote: trusted code in the jail that forks a process for each run. It never reads what a bot writes.

The worker sends one message per run: the limits as JSON, with four descriptors. Over the second of them, the
run's report, the zygote tells that the run began (with the process's handle) and how it ended.

When it has nothing to do it forks the next run's process beforehand, the spare, which puts up the walls that
are the same for all runs and waits for one order. An order that finds no spare gets a fork of its own.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import select
import selectors
import socket
import sys
from typing import NoReturn

from . import doorman, landlock, lockdown, policy, run, trap, warming
from .options import Layer, Options
from .seccomp import Filter

_LONGEST_MESSAGE = 4096  # bytes
_DESCRIPTORS = 4  # channel, report, log, job
_READY = b"R"
# A worker that has more to run at once sends it sooner, and its runs do not share the processor with a spare.
_IDLE_SECONDS = 0.005
_ERRORS = 2
_FAILED = 70  # exit status; EX_SOFTWARE


def serve(control: int, options: Options) -> NoReturn:
    """Load the libraries, say that the zygote is ready, and fork runs until the worker hangs up."""
    for module in options.preload:
        importlib.import_module(module)
    sample = warming.warm_up()
    _forget_folders_beyond(options.readable)
    zygote = _Zygote(socket.socket(fileno=control), options, sample)
    # Whatever was made so far stays for good: the collector would copy pages in every run.
    gc.collect()
    gc.freeze()
    gc.disable()
    os.write(control, _READY)
    zygote.serve()


def _forget_folders_beyond(readable: tuple[str, ...]) -> None:
    """Leave no trace of the folders that only this process had to look into."""
    sys.path[:] = [folder for folder in sys.path if folder.startswith(readable)]
    for folder in set(sys.path_importer_cache) - set(sys.path):
        del sys.path_importer_cache[folder]


class _Zygote:
    def __init__(self, control: socket.socket, options: Options, sample: bytes) -> None:
        self._control = control
        self._options = options
        self._sample = sample
        self._spare: tuple[int, int] | None = None  # its handle and process id
        self._taker: int | None = None  # handle of the spare that had the last order
        # For the orders of all spares, one after the other: under its filter the zygote can make no socket.
        self._orders, self._spares_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reports: dict[int, tuple[int, socket.socket]] = {}  # by the run's handle: process id, report
        self._events = selectors.EpollSelector()
        self._pid = os.getpid()
        self._handle = os.pidfd_open(self._pid)
        lockdown.hide_memory()
        lockdown.bar_new_privileges()
        if options.has_capabilities and Layer.RIGHTS in options.layers:
            lockdown.drop_bounding_set()  # the runs inherit that
        ruleset = landlock.make_ruleset(options.readable) if Layer.LANDLOCK in options.layers else None
        if not options.has_namespaces:
            trap.set_handler()
        self._doorman: int | None = None
        door: int | None = None
        has_doorman = Layer.DOORMAN in options.layers
        if has_doorman:
            self._doorman, door = doorman.hire(options.readable, ruleset=ruleset, zygote=self._pid)
        if Layer.ZYGOTE_FILTER in options.layers:
            Filter(policy.zygote_policy(has_doorman=has_doorman), policy.ALLOW).apply()
        self._walls = run.Walls(
            options=options,
            ruleset=ruleset,
            doorman=door,
            door=Filter(policy.DOOR_POLICY, policy.ALLOW),
            processes=Filter(policy.PROCESS_POLICY, policy.ALLOW)
            if Layer.PROCESS_FILTER in options.layers
            else None,
            filter=self._run_filter() if Layer.RUN_FILTER in options.layers else None,
            zygote=self._pid,
        )

    def serve(self) -> NoReturn:
        self._events.register(self._control, selectors.EVENT_READ)
        if self._doorman is not None:
            self._events.register(self._doorman, selectors.EVENT_READ)
        while True:
            ready = self._events.select(None if self._spare else _IDLE_SECONDS)
            if not ready:
                self._make_spare()
            for key, _ in ready:
                if key.fileobj is self._control:
                    self._take_order()
                elif key.fd == self._doorman:  # without him no run could open a file
                    os._exit(_FAILED)
                else:
                    self._see_end(key.fd)

    def _run_filter(self) -> Filter:
        has_doorman = self._doorman is not None
        rules = policy.run_policy(has_namespaces=self._options.has_namespaces, has_doorman=has_doorman)
        return Filter(rules, policy.UNKNOWN)

    def _take_order(self) -> None:
        message, descriptors = _receive(self._control)
        if not message:  # the worker is gone, or has no more use for this zygote
            os._exit(0)
        channel, report, log, job = descriptors
        if self._spare:
            process, self._spare = self._spare, None
            self._taker, _ = process
            socket.send_fds(self._orders, [message], descriptors)
            self._report_start(process, socket.socket(fileno=report))
        else:
            try:
                pid = self._fork()
            except OSError as error:
                _send(socket.socket(fileno=report), {"error": str(error)})
            else:
                if pid == 0:
                    self._run(message, channel, log, job, is_prepared=False)
                self._report_start(self._watch(pid), socket.socket(fileno=report))
        for descriptor in (channel, log, job):
            os.close(descriptor)

    def _make_spare(self) -> None:
        if self._has_untaken_order():  # which the new one would take
            return
        with contextlib.suppress(OSError):  # no room for it: the next order tries, and tells
            pid = self._fork()
            if pid == 0:
                self._await_order()
            self._spare = self._watch(pid)

    def _await_order(self) -> NoReturn:
        try:
            lockdown.die_with_zygote(None if self._options.has_namespaces else self._pid)
            self._orders.close()  # then a zygote that ended before the line above is heard of
            warming.warm_copy(self._sample)
            is_prepared = False
            with contextlib.suppress(OSError):  # the order has it tried again, and tells
                run.prepare(self._walls)
                is_prepared = True
            message, descriptors = _receive(self._spares_orders)
            if not message:
                os._exit(0)
            channel, _, log, job = descriptors
            self._run(message, channel, log, job, is_prepared=is_prepared)
        finally:
            os._exit(_FAILED)

    def _has_untaken_order(self) -> bool:
        return bool(select.select([self._spares_orders], [], [], 0)[0])

    def _watch(self, pid: int) -> tuple[int, int]:
        handle = os.pidfd_open(pid)
        self._events.register(handle, selectors.EVENT_READ)
        return handle, pid

    def _fork(self) -> int:
        """Fork; where the run has a process namespace, it is the first in it."""
        if not self._options.has_namespaces:
            return os.fork()
        os.unshare(os.CLONE_NEWPID)
        try:
            return os.fork()
        finally:
            if os.getpid() == self._pid:
                os.setns(self._handle, os.CLONE_NEWPID)

    def _run(self, order: bytes, channel: int, log: int, job: int, *, is_prepared: bool) -> NoReturn:
        try:
            if not is_prepared:
                run.prepare(self._walls)
            run.begin(json.loads(order), channel=channel, log=log, job=job, walls=self._walls)
        except BaseException as error:  # noqa: BLE001  nothing but its end may come of this process
            os.write(_ERRORS, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(_FAILED)

    def _report_start(self, process: tuple[int, int], report: socket.socket) -> None:
        handle, pid = process
        self._reports[handle] = pid, report
        _send(report, {"began": True}, handle)

    def _see_end(self, handle: int) -> None:
        self._events.unregister(handle)
        os.close(handle)
        if self._spare and handle == self._spare[0]:
            os.waitpid(self._spare[1], 0)
            self._spare = None
            return
        pid, report = self._reports.pop(handle)
        _, status, usage = os.wait4(pid, 0)
        if handle == self._taker and self._has_untaken_order():
            for descriptor in _receive(self._spares_orders)[1]:
                os.close(descriptor)
        with report:
            _send(
                report,
                {
                    "exit_code": os.waitstatus_to_exitcode(status),
                    "cpu_seconds": usage.ru_utime + usage.ru_stime,
                    "peak_memory_kb": usage.ru_maxrss,
                },
            )


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    room = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
    message, ancillary, _, _ = control.recvmsg(_LONGEST_MESSAGE, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return message, list(descriptors)


def _send(report: socket.socket, message: dict[str, object], *descriptors: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    try:
        report.sendmsg([json.dumps(message).encode()], rights, socket.MSG_NOSIGNAL)
    except OSError:  # the worker has stopped listening to this run
        return
