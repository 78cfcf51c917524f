"""Hold while the fast average is above the slow one, stay out while it is below."""

from bot_sdk import Action, CustomBot, Parameter


class MovingAverageCross(CustomBot):
    parameters = [
        Parameter("fast_length", "integer", 5, label="Fast average, in candles", minimum=2, maximum=50),
        Parameter("slow_length", "integer", 13, label="Slow average, in candles", minimum=5, maximum=150),
    ]
    warm_up = 151
    risk_defaults = {  # no take profit: a trend is followed to its end
        "stop_loss_percent": 5,
        "trailing_stop_percent": 8,
        "max_position_size": 30,
        "max_daily_loss_percent": 5,
    }

    def execute_algorithm(self, data, timeframe, subscription_config=None):
        price = data["close"].iloc[-1]
        fast = data["close"].rolling(self.config["fast_length"]).mean().iloc[-1]
        slow = data["close"].rolling(self.config["slow_length"]).mean().iloc[-1]
        base = subscription_config["trading_pair"].split("/")[0]
        is_holding = self.get_balance(base) > 0
        averages = f"fast average {fast:.6g}, slow {slow:.6g}"
        if fast > slow and not is_holding:
            return Action("BUY", price, f"Trend up: {averages}")
        if fast < slow and is_holding:
            return Action("SELL", price, f"Trend down: {averages}")
        return Action("HOLD", price, f"{'Holding' if is_holding else 'Waiting'}: {averages}")
