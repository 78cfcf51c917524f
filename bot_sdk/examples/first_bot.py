"""Buy when the price has fallen far and sell when it has risen far, by the relative strength index."""

from bot_sdk import Action, CustomBot, Parameter


class FirstBot(CustomBot):
    parameters = [
        Parameter("buy_below", "integer", 30, label="Buy below an RSI of", minimum=1, maximum=50),
        Parameter("sell_above", "integer", 70, label="Sell above an RSI of", minimum=50, maximum=99),
    ]
    warm_up = 100  # candles before the first decision
    risk_defaults = {"stop_loss_percent": 5}

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        newest = data.iloc[-1]  # the candle that closed last, with every indicator
        price, rsi = newest["close"], newest["rsi"]
        if rsi < self.config["buy_below"]:
            return Action("BUY", price, f"The RSI is {rsi:.0f}: the price has fallen far.")
        if rsi > self.config["sell_above"]:
            return Action("SELL", price, f"The RSI is {rsi:.0f}: the price has risen far.")
        return Action("HOLD", price, f"The RSI is {rsi:.0f}.")  # also while it is NaN
