"""What an exchange is asked when candles of three timeframes close at once, by markets and subscriptions."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle as endless
from itertools import product
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache

from bot_sdk.timeframes import duration
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Candle, Market
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve
from execution import wave
from execution.cycle import view_market
from subscriptions.models import Subscription
from tests.factories import make_bot, make_subscription, make_user

TIMEFRAMES = ("1m", "5m", "15m")
CLOSE = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CASES = ((1, 3), (1, 1000), (20, 60), (20, 1000))  # markets, subscriptions


def report() -> None:
    for number in range(20):
        listing = replace(LISTINGS["BTCUSDT"], base=f"A{number:02}", price=100.0 + number)
        LISTINGS[listing.symbol] = listing
    print("requests to the exchange when 1m, 5m and 15m candles close at once\n")
    print("markets   subscriptions   candles   tickers   in all")
    for markets, subscriptions in CASES:
        asked = requests_of(markets, subscriptions)
        counts = [asked[path] for path in ("klines", "24hr")]
        columns = "   ".join(f"{count:7}" for count in [*counts, sum(asked.values())])
        print(f"{markets:7}   {subscriptions:13}   {columns}")
    print()
    for name in [name for name, listing in LISTINGS.items() if listing.base[1:].isdecimal()]:
        del LISTINGS[name]


def requests_of(markets: int, subscriptions: int) -> Counter[str]:
    """Return how often each of the exchange's paths is asked for that one close; all was collected before."""
    paths: list[str] = []
    now = [CLOSE - timedelta(minutes=15, seconds=-2)]
    with serve(seed=1, clock=lambda: now[0], on_request=paths.append) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        public_gateway.cache_clear()
        refresh_markets("BINANCE")
        chosen = list(Market.objects.filter(quote="USDT").order_by("trading_pair")[:markets])
        _subscribe(chosen, subscriptions)
        for minutes in range(-15, 1):
            now[0] = CLOSE + timedelta(minutes=minutes, seconds=2)
            if minutes == 0:
                paths.clear()
                cache.clear()  # prices, which in truth are a minute old
            _collect(CLOSE + timedelta(minutes=minutes))
    Subscription.objects.all().delete()
    Candle.objects.all().delete()
    return Counter(urlsplit(path).path.rpartition("/")[2] for path in paths)


def _subscribe(markets: list[Market], count: int) -> None:
    bot, trader = make_bot(), make_user(f"trader-{count}-of-{len(markets)}")
    places = endless(product(markets, TIMEFRAMES))
    for (market, timeframe), _ in zip(places, range(count), strict=False):
        make_subscription(bot=bot, trader=trader, market=market, timeframe=timeframe)


def _collect(at: datetime) -> None:
    """View each market as the workers do, for the candles that close at that moment."""
    for timeframe in TIMEFRAMES:
        opened_at = at - duration(timeframe)
        if (at - CLOSE) % duration(timeframe):
            continue
        for pk in wave.due_markets(timeframe, opened_at):
            market = Market.objects.get(pk=pk)
            view_market(market, timeframe, opened_at, public_gateway(market.exchange))
