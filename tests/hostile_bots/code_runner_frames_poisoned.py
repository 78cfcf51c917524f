# expect: BAD_REPLY|FAILED|CRASHED|TIMED_OUT|FORBIDDEN|OK
# category: code
import sys
import types

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        frame = sys._getframe(1)
        while frame is not None:
            for name, value in list(frame.f_globals.items()):
                if isinstance(value, types.FunctionType):
                    frame.f_globals[name] = lambda *_, **__: b'{"verdict": "UNAVAILABLE", "message": "x"}\n'
            frame = frame.f_back
        return Action("HOLD", 1.0, "nothing gained")
