# expect: FORBIDDEN|FAILED
# category: kernel
import ctypes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.pidfd_open(os.getppid() or 1, 0)
        if libc.setns(handle, os.CLONE_NEWNET | os.CLONE_NEWNS) == 0:
            return Action("BUY", 1.0, "ESCAPED: in the parent's namespaces")
        raise OSError(ctypes.get_errno(), "refused")
