"""How long a decision on a closed candle may be traded on."""

from datetime import datetime

from bot_sdk.timeframes import duration

FRESH_SHARE_OF_CANDLE = 0.5  # a signal older than half its candle never trades


def stale_at(timeframe: str, closed_at: datetime) -> datetime:
    """Return when a signal on the candle that closed at `closed_at` has become too old to trade on."""
    return closed_at + FRESH_SHARE_OF_CANDLE * duration(timeframe)
