# expect: OK|FORBIDDEN
# category: kernel
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None)
        for change in (libc.setuid, libc.setgid, libc.seteuid, libc.setegid, libc.setfsuid, libc.setfsgid):
            change(0)
        libc.setresuid(0, 0, 0)
        libc.setreuid(0, 0)
        if 0 in os.getresuid() or libc.setfsuid(-1) == 0:
            return Action("BUY", 1.0, "ESCAPED: root")
        return Action("HOLD", 1.0, "nothing gained")
