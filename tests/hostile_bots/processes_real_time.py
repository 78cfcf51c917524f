# expect: FORBIDDEN|FAILED
# category: processes
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return Action("BUY", 1.0, "ESCAPED: nobody interrupts it")
