"""What a bot's algorithm returns."""

import math
from dataclasses import dataclass
from numbers import Real

BUY = "BUY"
SELL = "SELL"
HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Action:
    """Say what to do after the newest candle, at which price the bot saw it, and why.

    `action` is "BUY", "SELL" or "HOLD". `value` is the price that the bot acted on, in quote per base; it is
    shown to the trader and never sizes an order, which is what the subscription's settings do. NumPy numbers
    become a plain float. `reason` is one line for the trader.
    Raises TypeError for a wrong type, ValueError for an unknown action or a value that is negative, infinite
    or NaN.
    """

    action: str
    value: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.action, str):
            raise TypeError(f'Action.action must be "BUY", "SELL" or "HOLD", not {_described(self.action)}.')
        if self.action not in (BUY, SELL, HOLD):
            raise ValueError(f'Action.action must be "BUY", "SELL" or "HOLD", not {self.action!r}.')
        if not isinstance(self.reason, str):
            raise TypeError(f"Action.reason must be text, not {_described(self.reason)}.")
        object.__setattr__(self, "value", _finite_float(self.value))


def _finite_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"Action.value must be a number, usually the price, not {_described(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"Action.value must be a finite number, zero or more, not {number}.")
    return number


def _described(value: object) -> str:
    return f"{str(value)[:40]!r} ({type(value).__name__})"
