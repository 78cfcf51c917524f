# expect: FAILED|FORBIDDEN
# category: files; harmless outside
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        on_open = 0x20
        queue = libc.inotify_init1(os.O_NONBLOCK)
        if queue >= 0 and libc.inotify_add_watch(queue, os.__file__.encode(), on_open) >= 0:
            return Action("BUY", 1.0, "ESCAPED: sees when other runs import")
        raise OSError(ctypes.get_errno(), "refused")
