# expect: OK|FORBIDDEN|FAILED
# category: processes
import fcntl
import os
import signal
import time

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        parent = os.getppid()
        for target in {parent or 1, 1} - {os.getpid()}:
            read_end, write_end = os.pipe()
            fcntl.fcntl(read_end, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(read_end, fcntl.F_SETOWN, target)
            fcntl.fcntl(read_end, fcntl.F_SETFL, os.O_ASYNC)
            os.write(write_end, b"the kernel now sends the signal")
        time.sleep(0.5)
        if os.getppid() != parent:
            return Action("BUY", 1.0, "ESCAPED: killed who started it")
        return Action("HOLD", 1.0, "nothing gained")
