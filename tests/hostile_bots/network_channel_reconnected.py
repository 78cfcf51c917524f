# expect: FORBIDDEN|FAILED|CRASHED|BAD_REPLY|OK
# category: network
import ctypes
import os
import socket
import stat
import struct

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
        path = struct.pack("=H", socket.AF_UNIX) + b"/var/run/docker.sock"
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4B8x", self.config["port"], 127, 0, 0, 1)
        for descriptor in channels():
            for target in (path, address):
                if libc.connect(os.dup(descriptor), target, len(target)) == 0:
                    return Action("BUY", 1.0, "ESCAPED: the given socket calls elsewhere")
        raise OSError(ctypes.get_errno(), "refused")
