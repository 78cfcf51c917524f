"""The one path from candles to a signal: crawl → indicators → algorithm → risk → signal.

The first two steps are a market's business and are done once for all its subscriptions (`view_market`).
The algorithm is run once for all who ask the same (`deciding.py`); the others are done for each
(`concluding.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
from django.conf import settings

from bot_sdk.account import candles_of
from bot_sdk.bot import CandleRow
from bot_sdk.gaps import gap_in
from bot_sdk.history import HISTORY_CANDLES
from bot_sdk.timeframes import duration
from exchanges import candles
from exchanges.frames import Seen, frame_of
from exchanges.gateway import PublicGateway, Ticker
from exchanges.models import Market
from exchanges.prices import fetch_ticker
from execution.freshness import stale_at
from execution.sandbox import Limits, encode_frame
from subscriptions.models import Subscription

SHORTEST_RUN_SECONDS = 1.0


@dataclass(frozen=True)
class MarketMoment:
    """One market at the close of one candle, with its price now: what a decision is acted on with."""

    market: Market
    timeframe: str
    opened_at: datetime
    ticker: Ticker

    @property
    def stale_at(self) -> datetime:
        """When a signal on this candle has become too old to trade on."""
        return stale_at(self.timeframe, self.opened_at + duration(self.timeframe))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a message can carry it."""
        ticker = self.ticker
        return {
            "market": self.market.pk,
            "timeframe": self.timeframe,
            "opened_at": self.opened_at.isoformat(),
            "last": str(ticker.last),
            "bid": str(ticker.bid),
            "ask": str(ticker.ask),
            "at": ticker.at.isoformat(),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, str], market: Market) -> "MarketMoment":
        """Return what `to_dict` was made of."""
        prices = {name: Decimal(raw[name]) for name in ("last", "bid", "ask")}
        ticker = Ticker(**prices, at=datetime.fromisoformat(raw["at"]))
        return cls(market, raw["timeframe"], datetime.fromisoformat(raw["opened_at"]), ticker)


@dataclass(frozen=True)
class MarketView(MarketMoment):
    """All that bots may know of the moment, the same for every subscription.

    `frame` is the encoded window with indicator columns; `newest_candles` gives so many candles, which may
    reach further back. `candles` says for receipts what the window holds: openings of its first and last
    candle, how many there are, and `since`, the opening from which its indicators were computed. `gap` says
    why the window is not to be decided on, or is "".
    """

    frame: bytes
    newest_candles: Callable[[int], Sequence[CandleRow]]
    candles: Mapping[str, Any]
    gap: str = ""

    @property
    def moment(self) -> MarketMoment:
        """The same without what only a bot needs."""
        return MarketMoment(self.market, self.timeframe, self.opened_at, self.ticker)


def view_market(market: Market, timeframe: str, opened_at: datetime, gateway: PublicGateway) -> MarketView:
    """Crawl closed candles up to the one opened at `opened_at`, carry indicators on, and read the ticker.

    Raises CandleNotReady when the exchange does not have that candle yet and ExchangeUnavailable when it
    does not answer; both are worth another try.
    """
    smallest = Subscription.objects.active().filter(market=market).smallest_timeframe() or timeframe
    candles.collect(market, timeframe, gateway, opened_at, HISTORY_CANDLES, smallest=smallest)
    seen = frame_of(market, timeframe, opened_at)
    return view_of(seen, MarketMoment(market, timeframe, opened_at, fetch_ticker(market)))


def view_of(seen: Seen, moment: MarketMoment) -> MarketView:
    """Return what bots may know of the moment, at which these candles were the newest."""
    index = pd.DatetimeIndex(seen.window.index)
    known = [at.isoformat() for at in (index[0], index[-1], seen.since)] if len(index) else [""] * 3
    return MarketView(
        moment.market,
        moment.timeframe,
        moment.opened_at,
        moment.ticker,
        frame=encode_frame(seen.window),
        newest_candles=candles_of(seen.history),
        candles={"first": known[0], "last": known[1], "since": known[2], "count": len(index)},
        gap=gap_in(index, moment.timeframe),
    )


def limits(seconds_left: float) -> Limits:
    """Return the platform's limits for a run that must end within `seconds_left`."""
    return Limits(
        seconds=max(SHORTEST_RUN_SECONDS, min(settings.BOT_EXECUTION_TIMEOUT, seconds_left)),
        memory_mb=settings.BOT_MAX_MEMORY_MB,
        cpu_percent=settings.BOT_MAX_CPU_PERCENT,
    )
