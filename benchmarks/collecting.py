"""How soon the candles of many markets are stored after a 1m close, at three exchanges that count requests.

Four processes, as the workers are by default, take markets from one list. Each has loaded the markets before.
"""

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import redis
from django.conf import settings

from exchanges import candles
from exchanges.errors import CandleNotReady, RateLimited
from exchanges.gateway import SETTLING
from exchanges.gateways import public_gateway, shared_redis
from exchanges.markets import refresh_markets
from exchanges.models import Candle, Market
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve

MARKETS = 50  # at each exchange
PROCESSES = 4
MINUTE = timedelta(minutes=1)
PATIENCE_SECONDS = 90
QUEUE, DONE = "benchmark:collecting:queue", "benchmark:collecting:done"


def report() -> None:
    for number in range(MARKETS):
        listing = replace(LISTINGS["BTCUSDT"], base=f"C{number:02}", price=100.0 + number)
        LISTINGS[listing.symbol] = listing
    with serve(port=0, seed=1) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        public_gateway.cache_clear()
        for exchange in settings.SUPPORTED_EXCHANGES:
            refresh_markets(exchange)
        _report_close(url)
    Candle.objects.all().delete()
    Market.objects.filter(base__regex=r"^C\d\d$").delete()
    for name in [name for name, listing in LISTINGS.items() if listing.base[1:].isdecimal()]:
        del LISTINGS[name]


def _report_close(url: str) -> None:
    server = shared_redis()
    server.delete(QUEUE, DONE)
    code = "import django; django.setup(); from benchmarks import collecting; collecting.work()"
    command = [sys.executable, "-c", code, url]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    markets = list(Market.objects.filter(base__regex=r"^C\d\d$").order_by("base", "exchange"))
    closed_at = datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE
    _store_the_one_before(markets, closed_at - 2 * MINUTE)
    time.sleep((closed_at + SETTLING - datetime.now(UTC)).total_seconds())
    server.rpush(QUEUE, *(json.dumps([market.pk, closed_at.timestamp()]) for market in markets))
    for worker in workers:
        worker.communicate(timeout=PATIENCE_SECONDS + 30)
    print(f"{MARKETS} markets at each exchange, {PROCESSES} processes: seconds from the close until stored")
    print("exchange    stored   median     last   candles a second   missing")
    for exchange in settings.SUPPORTED_EXCHANGES:
        _print_row(exchange, [json.loads(row) for row in server.lrange(DONE, 0, -1)])
    server.delete(QUEUE, DONE)


def _print_row(exchange: str, done: list[tuple[str, float, bool]]) -> None:
    times = sorted(seconds for name, seconds, is_stored in done if name == exchange and is_stored)
    rate = len(times) / max(times[-1] - SETTLING.total_seconds(), 0.001)
    missing = MARKETS - len(times)
    print(f"{exchange:10} {len(times):7} {median(times):8.1f} {times[-1]:8.1f} {rate:18.1f} {missing:9}")


def _store_the_one_before(markets: list[Market], opened_at: datetime) -> None:
    figures = dict.fromkeys(("open", "high", "low", "close", "volume"), 1)
    Candle.objects.bulk_create(
        Candle(market=market, timeframe="1m", opened_at=opened_at, **figures) for market in markets
    )


def work() -> None:
    """Take markets from the list until it is empty; who has to wait puts its market back."""
    settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", sys.argv[1]
    for exchange in settings.SUPPORTED_EXCHANGES:
        with public_gateway(exchange).patiently():
            public_gateway(exchange).fetch_ticker("BTC/USDT")
    print("ready", flush=True)
    server = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)  # waits for the close
    entry = server.blpop([QUEUE], timeout=PATIENCE_SECONDS)
    while entry is not None:
        _collect(server, entry[1])
        entry = server.blpop([QUEUE], timeout=2)


def _collect(server: redis.Redis, entry: bytes | str) -> None:
    pk, closed = json.loads(entry)
    market, closed_at = Market.objects.get(pk=pk), datetime.fromtimestamp(closed, UTC)
    gateway = public_gateway(market.exchange)
    try:
        candles.collect(market, "1m", gateway, closed_at - MINUTE, 1, smallest="1m")
    except RateLimited:
        server.rpush(QUEUE, entry)
        time.sleep(0.02)
        return
    except CandleNotReady:  # nobody traded in that minute
        server.rpush(DONE, json.dumps([market.exchange, 0, False]))
        return
    taken = (datetime.now(UTC) - closed_at).total_seconds()
    server.rpush(DONE, json.dumps([market.exchange, taken, True]))
