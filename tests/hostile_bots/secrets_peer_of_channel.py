# expect: FORBIDDEN|FAILED|OK
# category: secrets
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
        for descriptor in channels():
            channel = socket.socket(fileno=os.dup(descriptor))
            pid, _, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if pid > 0:
                os.kill(pid, 0)
                return Action("BUY", 1.0, f"ESCAPED: can signal the worker, process {pid}")
        return Action("HOLD", 1.0, "nothing gained")
