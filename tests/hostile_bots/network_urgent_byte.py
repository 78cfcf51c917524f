# expect: FORBIDDEN|FAILED|BAD_REPLY|OK|TIMED_OUT|CRASHED
# category: network
import ctypes
import os
import socket
import stat

from bot_sdk import Action, CustomBot


def channels():
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                yield descriptor
        except OSError:
            continue


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        for descriptor in channels():
            for _ in range(1000):
                libc.send(descriptor, b"x", 1, socket.MSG_OOB | socket.MSG_DONTWAIT)
        return Action("HOLD", 1.0, "nothing gained")
