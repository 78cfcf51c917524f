# expect: FORBIDDEN|FAILED
# category: processes; harmless outside
import multiprocessing
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        child = multiprocessing.get_context("fork").Process(target=os.getpid)
        child.start()
        child.join()
        return Action("BUY", 1.0, f"ESCAPED: process {child.pid}")
