"""10,000 subscriptions on 20 markets, with 50 different settings in all and on each, and one candle.

The exchange is the simulator with more markets, the servers are throwaway, the worker is the real one. Beside
it, in this process: what a decision and its row cost without a sandbox, and with a task per subscription.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

import bot_sdk.examples
from bot_sdk.bot_file import load_bot_class
from bot_sdk.process.frame import decode_frame
from bot_sdk.timeframes import last_closed
from bots.models import Bot
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve
from execution import freshness, tasks, wave
from execution.concluding import conclude_all
from execution.cycle import MarketView, view_market
from execution.deciding import Decided
from execution.models import Cycle
from execution.sandbox import Run, Verdict
from subscriptions.models import Subscription
from tests.factories import make_bot, make_subscription, make_user

SUBSCRIPTIONS, MARKETS, SETTINGS = 10_000, 20, 50
WORKERS = 4
AT_ONCE = 1000  # subscriptions in the comparison
EXAMPLE = Path(bot_sdk.examples.__path__[0], "rsi_bot.py")


def report() -> None:
    with many_markets() as markets:
        bot = make_bot(code=EXAMPLE.read_text())
        report_loops(bot, markets[0])
        Subscription.objects.all().update(state=Subscription.State.STOPPED)
        subscribe(bot, markets, "1m", SUBSCRIPTIONS)
        print(f"{SUBSCRIPTIONS} subscriptions, {MARKETS} markets, {WORKERS} worker processes:")
        with worker():
            next_candle()  # the first one fetches the candles' history and starts the zygotes
            for settings_in_all in (SETTINGS, MARKETS * SETTINGS):
                spread(markets, settings_in_all)
                report_wave()
        print()


@contextmanager
def many_markets() -> Iterator[list[Market]]:
    """Serve the simulator with twenty pairs against USDT."""
    for number in range(MARKETS):
        listing = replace(LISTINGS["BTCUSDT"], base=f"B{number:02}", price=100.0 + number)
        LISTINGS[listing.symbol] = listing
    with serve(port=0, seed=1) as url:
        os.environ.update(MARKET_DATA="simulator", EXCHANGE_SIMULATOR_URL=url)
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        public_gateway.cache_clear()
        refresh_markets("BINANCE")
        yield list(Market.objects.filter(base__regex=r"^B\d\d$").order_by("base"))


def subscribe(bot: Bot, markets: list[Market], timeframe: str, count: int) -> None:
    """Subscribe one trader as often as it takes."""
    pattern = make_subscription(
        make_user(f"trader-of-{count}"), bot=bot, market=markets[0], timeframe=timeframe
    )
    Subscription.objects.bulk_create(
        [
            Subscription(
                trader=pattern.trader,
                bot=bot,
                version=pattern.version,
                market=markets[number % len(markets)],
                timeframe=timeframe,
                allocated_capital=pattern.allocated_capital,
                strategy_config={"rsi_oversold": 30},
                execution_config=pattern.execution_config,
                risk_config=pattern.risk_config,
            )
            for number in range(count)
        ],
        batch_size=1000,
    )
    pattern.delete()


def spread(markets: list[Market], settings_in_all: int) -> None:
    """Give the subscriptions so many different settings, as evenly as it goes over the markets."""
    for place, market in enumerate(markets):
        here = Subscription.objects.active().filter(market=market).order_by("pk")
        ids = list(here.values_list("pk", flat=True))
        count = settings_in_all // len(markets) + (place < settings_in_all % len(markets))
        for number in range(count):
            chosen = Subscription.objects.filter(pk__in=ids[number::count])
            chosen.update(strategy_config={"rsi_oversold": 10 + number / 10})


def report_wave() -> None:
    """Tell when the last cycle of the next candle was written."""
    closed_at, done, memory = next_candle()
    finished = Cycle.objects.filter(candle_closed_at=closed_at, state=Cycle.State.DONE)
    slowest = finished.aggregate(at=Max("finished_at"))["at"]
    late = finished.filter(skip="stale_candle").count()
    runs = finished.values("inputs").distinct().count()
    failed = finished.exclude(verdict=Verdict.OK).count()
    orders = finished.filter(order__isnull=False).count()
    print(
        f"  {runs:4} distinct inputs, {orders:4} orders: all written"
        f" {(slowest - closed_at).total_seconds():.1f} s after the candle's close"
        f" ({done} cycles, {failed} not OK, {late} too late; {memory:.0f} MB for workers and zygotes)",
        flush=True,
    )


def next_candle() -> tuple[datetime, int, float]:
    """Let the workers decide the next candle; return its close, how many were done, and the most memory."""
    closed_at = next_close()
    tasks.tick.delay("1m")
    return closed_at, *follow(closed_at - timedelta(minutes=1))


@contextmanager
def worker() -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "marketplace", "worker", "--concurrency", str(WORKERS)]
    with Path(settings.STATE_DIR, "logs", "bench_worker.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        time.sleep(10)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def next_close() -> datetime:
    """Sleep until a minute is over, and a moment longer, as the schedule does."""
    closed_at = last_closed("1m", timezone.now()) + timedelta(minutes=2)
    time.sleep((closed_at - timezone.now()).total_seconds() + 1)
    return closed_at


def follow(opened_at: datetime) -> tuple[int, float]:
    """Wait for the wave's end; return how many cycles it has, and the most memory in MB seen meanwhile."""
    most, deadline = 0.0, time.monotonic() + 50
    while time.monotonic() < deadline:
        time.sleep(0.5)
        most = max(most, memory_mb())
        done = Cycle.objects.filter(candle_opened_at=opened_at, state=Cycle.State.DONE).count()
        if done >= SUBSCRIPTIONS:
            break
    return done, most


def memory_mb() -> float:
    """Return what the worker's processes and everything below them take, shared pages in proportion."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if b"celery" in words or b"inside" in words.split(b"\0"):
                text = (folder / "smaps_rollup").read_text()
                total += int(text.split("Pss:", 1)[1].split()[0])
        except (OSError, IndexError):
            continue
    return total / 1024


def report_loops(bot: Bot, market: Market) -> None:
    freshness.FRESH_SHARE_OF_CANDLE = 2.0  # in the second half of an hour, too
    opened_at = last_closed("1h", timezone.now())
    view = view_market(market, "1h", opened_at, public_gateway(market.exchange))
    rates: dict[str, list[float]] = {"shared": [], "bare": []}
    subscribe(bot, [market], "1h", AT_ONCE)
    subscriptions = list(Subscription.objects.filter(timeframe="1h").to_decide())
    for _ in range(5):
        for name, decide in (("shared", wave.decide_all), ("bare", decide_bare)):
            Cycle.objects.all().delete()
            start = time.perf_counter()
            decide(view, wave.claim(subscriptions, "1h", opened_at))
            rates[name].append(AT_ONCE / (time.perf_counter() - start))
    Cycle.objects.all().delete()
    start = time.perf_counter()
    for subscription in subscriptions[:20]:
        tasks.run_bot_logic(subscription.pk)
    one_each = 20 / (time.perf_counter() - start)
    shared, bare = median(rates["shared"]), median(rates["bare"])
    print(f"persisted cycles a second, {AT_ONCE} subscriptions of one bot on one market, one process:")
    print(f"  shared confined run      {shared:7.0f}")
    print(f"  bot in this process      {bare:7.0f}   confined / this: {shared / bare:.2f}")
    print(f"  a task per subscription  {one_each:7.1f}   confined / this: {shared / one_each:.0f}\n")


def decide_bare(view: MarketView, cycles: list[Cycle]) -> None:
    """The same loop with the bot in this process, once per cycle: as fast, and as unsafe, as can be."""
    bot_class, frame = load_bot_class(EXAMPLE), decode_frame(view.frame)
    decided = []
    for each in cycles:
        config = each.subscription.config
        action = bot_class(config["strategy_config"], {}).execute_algorithm(frame, "1h", config)
        decided.append(Decided([each], Run(Verdict.OK, action)))
    for batch in wave.batches(decided):
        conclude_all(view.moment, batch)
