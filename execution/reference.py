"""What our own measurements of bots have alike: market, candles, money, orders and limits.

So one bot can be held against another, and a run on paper against the backtest before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from bot_sdk.configs import ALL
from bots.models import Bot
from exchanges.models import Market
from execution.gate_steps import REFERENCE_PAIR, REFERENCE_TIMEFRAME

REFERENCE_EXECUTION: Mapping[str, Any] = {"buy_order_type": ALL, "sell_order_type": ALL}


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a bot is measured: on the first market and timeframe that it is made for, or else our own."""

    market: Market
    timeframe: str


def reference_of(bot: Bot) -> Reference | None:
    """Return where the bot is measured; None when neither its pairs nor ours are traded here."""
    offered = Market.objects.tradable().filter(exchange=settings.DEFAULT_EXCHANGE)
    wanted = [*bot.trading_pairs, REFERENCE_PAIR]
    markets = {market.trading_pair: market for market in offered.filter(trading_pair__in=wanted)}
    market = next((markets[pair] for pair in wanted if pair in markets), None)
    if market is None:
        return None
    timeframe = next((each for each in bot.timeframes if each in market.timeframes), REFERENCE_TIMEFRAME)
    return Reference(market, timeframe)
