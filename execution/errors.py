class BacktestError(Exception):
    """A backtest that cannot be begun or run; the text is for the person who asked."""


class OrderError(Exception):
    """A request that an order's present state does not allow; the text is for staff."""


class RestoreError(Exception):
    """A comparison after a restore that cannot be begun; the text is for the operator."""
