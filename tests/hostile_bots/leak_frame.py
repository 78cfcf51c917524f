# expect: OK|CRASHED
# category: leak; run twice
import ctypes

from bot_sdk import Action, CustomBot


class Attack(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config):
        if (data["close"] == -12345.0).any():
            return Action("BUY", 1.0, "ESCAPED: candles that an earlier run wrote")
        closes = data["close"].to_numpy()
        mark = (ctypes.c_double * len(closes))(*[-12345.0] * len(closes))
        for place in range(len(closes)):
            ctypes.memmove(closes.ctypes.data + place * closes.strides[0], mark, 8)
        return Action("HOLD", 1.0, "nothing gained")
