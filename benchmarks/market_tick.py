"""What one closed candle costs, by the number of subscriptions on its market.

The view (candles over HTTP through ccxt, indicators, ticker) is paid once per market; the confined run,
risk, order and writing once per subscription.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import median

from django.conf import settings
from django.utils import timezone

from bot_sdk.timeframes import duration, last_closed
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.server import serve
from execution import freshness, wave
from execution.cycle import view_market
from execution.models import Cycle
from tests.factories import make_bot, make_subscription

TIMEFRAME = "1h"
SUBSCRIPTIONS = (1, 10, 100)
VIEWS = 5


def report() -> None:
    freshness.FRESH_SHARE_OF_CANDLE = 1.0  # at whatever minute of the hour this runs
    with simulated_market() as market:
        newest = last_closed(TIMEFRAME, timezone.now())
        first_view = seconds_to_view(market, newest - VIEWS * duration(TIMEFRAME))
        views = [
            seconds_to_view(market, newest - back * duration(TIMEFRAME)) for back in reversed(range(VIEWS))
        ]
        print(f"one market at a candle's close: {median(views) * 1000:.0f} ms (first: {first_view:.1f} s)\n")
        print("subscriptions   seconds   ms per subscription   cycles per second")
        for count in SUBSCRIPTIONS:
            seconds = seconds_for_tick(market, newest, count)
            print(f"{count:13}   {seconds:7.2f}   {seconds / count * 1000:19.0f}   {count / seconds:17.2f}")
    print()


@contextmanager
def simulated_market() -> Iterator[Market]:
    with serve(port=0, seed=1) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        refresh_markets("BINANCE")
        yield Market.objects.get(exchange="BINANCE", trading_pair="BTC/USDT")


def seconds_to_view(market: Market, opened_at: datetime) -> float:
    start = time.perf_counter()
    view_market(market, TIMEFRAME, opened_at, public_gateway(market.exchange))
    return time.perf_counter() - start


def seconds_for_tick(market: Market, opened_at: datetime, count: int) -> float:
    """Return the wall time from the tick to the last written cycle for `count` new subscriptions."""
    bot = make_bot()
    subscriptions = [make_subscription(bot=bot, market=market, timeframe=TIMEFRAME) for _ in range(count)]
    start = time.perf_counter()
    view = view_market(market, TIMEFRAME, opened_at, public_gateway(market.exchange))
    cycles = wave.claim(subscriptions, TIMEFRAME, opened_at)
    wave.decide_all(view, cycles)
    seconds = time.perf_counter() - start
    failed = Cycle.objects.filter(claim=cycles[0].claim).exclude(verdict="OK").count()
    if failed:
        raise SystemExit(f"{failed} of {count} cycles failed; the figure would mean nothing.")
    return seconds
