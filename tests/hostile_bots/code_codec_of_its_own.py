# expect: OK|FORBIDDEN
# category: code; harmless outside
import codecs
import os

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        def decode(data, errors="strict"):
            return str(os.system(bytes(data).decode())), len(data)

        codecs.register(lambda name: codecs.CodecInfo(None, decode) if name == "shell" else None)
        if int(b"true".decode("shell")) == 0:
            return Action("BUY", 1.0, "ESCAPED: ran a shell")
        return Action("HOLD", 1.0, "nothing gained")
