# expect: FORBIDDEN|FAILED|BAD_REPLY
# category: network
import array
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
        for descriptor in channels():
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 200))
            socket.socket(fileno=os.dup(descriptor)).sendmsg([b"x"], [rights])
            return Action("BUY", 1.0, "ESCAPED: fills the parent's table of files")
        raise LookupError("no socket")
