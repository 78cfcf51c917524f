"""What can go wrong between us and an exchange, named by what the caller should do next."""


class ExchangeError(Exception):
    """Anything an exchange refuses or fails to do; the message says what was expected, came, and helps."""


class ExchangeUnavailable(ExchangeError):
    """No usable answer came: try again later. For an order that was sent, the outcome is then unknown."""


class RateLimited(ExchangeUnavailable):
    """We have asked enough for now, or were told to stop: come back after `seconds`. Nothing was done."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class KeyRefused(ExchangeError):
    """The exchange does not accept the account's key: check its rights, and tell the trader."""


class UnknownExchange(ExchangeError):
    """We do not trade there, or this installation has no market data of it: correct the request."""


class UnknownMarket(ExchangeError):
    """The exchange does not list this trading pair: correct the request or refresh the markets."""


class UnknownTimeframe(ExchangeError):
    """The exchange has no candles of this timeframe: choose another one."""


class CandleNotReady(ExchangeError):
    """The exchange does not have the expected closed candle yet: ask again in a moment."""


class CandleStoreError(Exception):
    """The stored history cannot be read or written; the message names the file and what to do."""


class OrderRejected(ExchangeError):
    """The order was definitely not accepted: stop and tell the trader."""


class OutcomeUnknown(ExchangeError):
    """The order may or may not have been accepted: reconcile, never send it again blindly."""
