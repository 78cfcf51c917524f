# expect: OK|FAILED
# category: processes; harmless outside
import ctypes
import os
import struct

from bot_sdk import Action, CustomBot

NOBODY = (1 << 22) + 1  # beyond the highest process id


class Attack(CustomBot):
    """Tell by an answer or an error whether a process is there."""

    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        room = ctypes.create_string_buffer(256)
        ways = [
            libc.getpgid,
            libc.getsid,
            libc.sched_getscheduler,
            lambda pid: libc.sched_getparam(pid, room),
            lambda pid: libc.sched_getaffinity(pid, 128, room),
            lambda pid: libc.sched_rr_get_interval(pid, room),
            lambda pid: libc.getpriority(0, pid),
            lambda pid: libc.getpriority(1, pid),
            lambda pid: libc.prlimit(pid, 7, None, room),
            lambda pid: libc.clock_gettime(~pid << 3 | 2, room),
            lambda pid: libc.clock_getres(~pid << 3 | 2, room),
            lambda pid: libc.capget(struct.pack("Ii", 0x20080522, pid), room),
        ]
        others = {1, 2, os.getppid(), *range(2, 500)} - {os.getpid(), 0}
        for number, way in enumerate(ways):
            missing = answer(way, NOBODY)
            for pid in others:
                if answer(way, pid) != missing:
                    return Action("BUY", 1.0, f"ESCAPED: process {pid} is there by way {number}")
        return Action("HOLD", 1.0, "all numbers alike")


def answer(way, pid):
    ctypes.set_errno(0)
    return way(pid), ctypes.get_errno()
