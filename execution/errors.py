class BacktestError(Exception):
    """A backtest that cannot be begun or run; the text is for the person who asked."""


class RerunError(Exception):
    """A decision that cannot be run again now; the text is for the person who asked."""


class OrderError(Exception):
    """A request that an order's present state does not allow; the text is for staff."""


class BotFailed(Exception):
    """A bot that gave no valid answer; the text says how its run ended."""


class RestoreError(Exception):
    """A comparison after a restore that cannot be begun; the text is for the operator."""


class NotRunning(Exception):
    """A subscription that decides nothing now; the text is for the trader."""


class TooOld(Exception):
    """A candle that nothing is traded on any more; the text is for the trader."""


class AlreadyDecided(Exception):
    """A candle that has been decided, and is never decided twice; the text is for the trader."""


class QueueUnavailable(Exception):
    """Work that could not be handed to a worker: nothing has happened, and it may be asked for again."""
