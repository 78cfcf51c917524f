# expect: FAILED|FORBIDDEN
# category: memory
import fcntl
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        pipes = []
        while len(pipes) < 5000:
            _, write_end = pair = os.pipe()
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 1 << 20)
            pipes.append(pair)
        return Action("BUY", 1.0, "ESCAPED: gigabytes of kernel memory")
