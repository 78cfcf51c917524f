"""What the workers run.

Every task may be delivered twice, late, or not at all; the database decides what is due.
"""

import gc
import importlib
import logging
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import kombu.exceptions
from celery import Task, current_app, shared_task
from celery.signals import worker_init, worker_ready
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from redis.exceptions import LockError

from bot_sdk.risk import SkipReason
from bot_sdk.timeframes import TIMEFRAMES, duration, last_closed
from exchanges.clocks import MOST_SKEW, remember, skew
from exchanges.errors import CandleNotReady, ExchangeError, ExchangeUnavailable, KeyRefused, RateLimited
from exchanges.gateway import SETTLING, Ticker
from exchanges.gateways import exchange_gateway, public_gateway, shared_redis
from exchanges.markets import refresh_markets as refresh
from exchanges.models import ExchangeAccount, Market
from exchanges.prices import fetch_ticker
from exchanges.vault import VaultError
from execution import (
    backtesting,
    comparing,
    forward_runs,
    gate,
    performance,
    protection,
    reconciling,
    records,
    replaying,
    reruns,
    sandbox,
    settling,
    thinning,
    watching,
    wave,
)
from execution.alarms import Trouble, alarm
from execution.concluding import close_without_decision, conclude_all
from execution.cycle import MarketMoment, view_market
from execution.deciding import Decided
from execution.freshness import stale_at
from execution.gate_steps import MOST_BOT_SECONDS
from execution.invariants import find_breaches
from execution.models import Cycle, Order
from execution.orders import CHECK_TASK
from subscriptions import lifecycle
from subscriptions.models import Subscription, SubscriptionQuerySet

logger = logging.getLogger(__name__)

CRAWL_TRIES = 12
CRAWL_PAUSE_SECONDS = 2  # an exchange shows a closed candle one to a few seconds after its close
SHORTEST_PAUSE_SECONDS = 0.5
LOOK_EVERY_SECONDS = 10  # at prices, and at orders that are open or unknown
REFUSED_SECONDS = 600  # before a key that was refused is tried again for the orders it left behind
RECONCILE_EVERY_SECONDS = 600
RECONCILE_SECONDS = 300  # the longest that one account may take
STARTING_TOGETHER_SECONDS = 120
BACKTEST_SECONDS = 2 * settings.BACKTEST_TIMEOUT + 3600  # with the candles that it has to fetch
GATE_SECONDS = MOST_BOT_SECONDS + BACKTEST_SECONDS  # all steps, the last of them a backtest
SHOWN_BREACHES = 5  # in one message to the operator
# claiming is safe to repeat, so a restarted database costs a few seconds and no candle
AGAIN = {
    "max_retries": CRAWL_TRIES,
    "autoretry_for": [OperationalError, InterfaceError],
    "default_retry_delay": CRAWL_PAUSE_SECONDS,
}


@worker_init.connect
def refuse_without_sandbox(**_: object) -> None:
    """Stop a worker that cannot confine bots before it takes any work."""
    try:
        sandbox.prove()
        _load_for_all()
    except sandbox.SandboxUnavailable as error:
        # Celery logs what a signal's receiver raises and goes on; it does not catch this.
        sys.exit(str(error))


def _load_for_all() -> None:
    """Import before the worker forks what each of its processes needs, so that they share the memory."""
    public_gateway(settings.DEFAULT_EXCHANGE)
    public_gateway.cache_clear()  # connections are each process's own
    importlib.import_module("bot_sdk.indicators")
    gc.collect()
    gc.freeze()


@shared_task(time_limit=60)
def tick(timeframe: str) -> None:
    """Start the cycles of every market on which something is due for the newest closed candle."""
    now = timezone.now()
    opened_at = last_closed(timeframe, now)
    expires_at = stale_at(timeframe, opened_at + duration(timeframe))
    if now < expires_at:
        for market_id in wave.due_markets(timeframe, opened_at):
            run_market.apply_async(
                [market_id, timeframe, opened_at.isoformat()],
                countdown=SETTLING.total_seconds(),
                expires=expires_at,
            )


@shared_task(bind=True, **AGAIN)
def run_market(self: Task, market_id: int, timeframe: str, opened_at: str) -> None:
    """Decide all due subscriptions of one market; retries while the exchange lacks the candle."""
    _decide(self, wave.due(timeframe, datetime.fromisoformat(opened_at)).filter(market=market_id), opened_at)


@shared_task(bind=True, **AGAIN)
def run_bot_logic(self: Task, subscription_id: int) -> None:
    """Decide one subscription for the newest closed candle now; nothing if that candle is already decided."""
    subscription = Subscription.objects.active().filter(pk=subscription_id).first()
    if subscription is not None:
        opened_at = last_closed(subscription.timeframe, timezone.now())
        due = wave.due(subscription.timeframe, opened_at).filter(pk=subscription_id)
        _decide(self, due, opened_at.isoformat())


@shared_task(time_limit=300)
def conclude_batch(moment: dict[str, Any], batch: list[dict[str, Any]]) -> None:
    """Act on about a hundred cycles' decisions; those that are no longer running are left alone."""
    market = Market.objects.get(pk=moment["market"])
    ids = [pk for raw in batch for pk in raw["cycles"]]
    cycles = Cycle.objects.filter(state=Cycle.State.RUNNING).to_conclude().in_bulk(ids)
    conclude_all(MarketMoment.from_dict(moment, market), [Decided.from_dict(raw, cycles) for raw in batch])


@shared_task(time_limit=BACKTEST_SECONDS)
def run_backtest(backtest_id: str) -> None:
    """Run a backtest that waits; its queue is not that of the cycles."""
    backtesting.run(backtest_id)


@shared_task(time_limit=GATE_SECONDS)
def run_gate(gate_id: int) -> None:
    """Check a submitted version; in a queue of its own, so that no long backtest delays it."""
    gate.run(gate_id)


@shared_task(time_limit=replaying.LEASE_SECONDS)
def run_replay(replay_id: int) -> None:
    """Make a cycle's decision again; in the queue of the backtests."""
    replaying.run(replay_id)


@shared_task(time_limit=comparing.LEASE_SECONDS)
def run_comparison(comparison_id: int) -> None:
    """Ask a version at a subscription's newest decisions; in the queue of the backtests."""
    comparing.run(comparison_id)


@shared_task(time_limit=1800)
def measure_performance() -> None:
    """Measure the subscriptions that have decided since the last time; in the queue of the backtests."""
    performance.measure_all(timezone.now())
    records.measure_subscribers(timezone.now())
    forward_runs.measure(timezone.now())


@shared_task(time_limit=1800)
def thin_paper_runs() -> None:
    """Remove old cycles in which the marketplace's own runs did nothing; in the queue of the backtests."""
    if removed := thinning.thin(timezone.now()):
        logger.info("Removed %d cycles of the marketplace's own runs", removed)


@shared_task(time_limit=300)
def keep_records() -> None:
    """Have published versions backtested and run forward that were not yet, and keep what was found."""
    records.keep(timezone.now())


@shared_task(time_limit=60)
def sweep() -> None:
    """Settle what dead workers left behind, and start again what is still due and fresh.

    A tick or its messages may have been lost with a worker or with the broker.
    """
    wave.sweep(timezone.now())
    backtesting.sweep(timezone.now())
    gate.sweep(timezone.now())
    reruns.sweep(timezone.now())
    for timeframe in TIMEFRAMES:
        tick(timeframe)


@shared_task(time_limit=30)
def look_after_orders() -> None:
    """Have the orders at exchanges that are open, or of which nobody knows what became, looked up."""
    for account_id, market_id in settling.places():
        look_after_orders_at.apply_async([account_id, market_id], expires=LOOK_EVERY_SECONDS)


@shared_task(time_limit=120)
def look_after_orders_at(account_id: int, market_id: int) -> None:
    """Look up the orders of one account on one market."""
    orders = list(settling.left_behind(account_id, market_id))
    account = ExchangeAccount.objects.with_keys().filter(pk=account_id).first()
    if account is None or not orders:
        return
    refused = f"key-refused:{account_id}:{account.seal}"
    if shared_redis().exists(refused):
        return
    market = Market.objects.get(pk=market_id)
    ticker = _price_to_end_at(orders, market)
    try:
        with exchange_gateway(account, market, ticker) as gateway:
            settling.look_after(orders, gateway, None if ticker is None else lambda: ticker)
    except KeyRefused as error:
        logger.warning("Orders on %s cannot be looked up: %s", account, error)
        # an exchange bars who keeps coming with a bad key, and that may be all of us
        shared_redis().set(refused, 1, ex=REFUSED_SECONDS)
        if account.state == ExchangeAccount.State.ACTIVE:
            current_app.send_task(CHECK_TASK, args=[account_id])
    except (ExchangeError, VaultError) as error:
        logger.warning("Orders on %s cannot be looked up: %s", account, error)


@shared_task(time_limit=30)
def watch_prices() -> None:
    """Have a look at each market on which a stop may be reached or an order on paper waits."""
    for market_id in watching.markets_to_watch():
        watch_market.apply_async([market_id], expires=LOOK_EVERY_SECONDS)


@shared_task(time_limit=60)
def watch_market(market_id: int) -> None:
    """Look after the positions on one market; without a price nothing is done, and an alarm follows."""
    market = Market.objects.get(pk=market_id)
    try:
        watching.watch(market, fetch_ticker(market), timezone.now())
    except RateLimited as error:  # its candles go first; the next look follows soon
        logger.info("%s is not watched just now: %s", market, error)
    except ExchangeError as error:
        logger.warning("%s cannot be watched: %s", market, error)


@shared_task(time_limit=60)
def check_protection() -> None:
    """Tell the operator about positions that nobody looks after or that are not sold as wished."""
    unwatched = list(protection.unwatched(timezone.now()).values_list("subscription", flat=True)[:100])
    if unwatched:
        listed = ", ".join(map(str, unwatched))
        alarm(
            Trouble.POSITION_IS_UNPROTECTED,
            f"nobody watches the stops of subscriptions {listed}, or what was to be sold is not",
        )


@worker_ready.connect
def reconcile_at_start(**_: object) -> None:
    """Have all accounts compared when workers start: once, however many start together."""
    if shared_redis().set("reconciled-at-start", 1, nx=True, ex=STARTING_TOGETHER_SECONDS):
        reconcile_accounts.delay()


@shared_task(time_limit=60)
def reconcile_accounts() -> None:
    """Have each exchange account that a subscription counts on compared with our books."""
    for account_id in reconciling.accounts_at_stake():
        reconcile_account.apply_async([account_id], expires=RECONCILE_EVERY_SECONDS)


@shared_task(time_limit=RECONCILE_SECONDS)
def reconcile_account(account_id: int) -> None:
    """Compare one account with our books, unless another worker is at it."""
    account = ExchangeAccount.objects.usable().select_related("owner").filter(pk=account_id).first()
    turn = shared_redis().lock(f"reconciling:{account_id}", timeout=RECONCILE_SECONDS, blocking=False)
    if account is None or not turn.acquire():
        return
    try:
        reconciling.reconcile(account)
    except KeyRefused as error:
        logger.warning("%s cannot be compared: %s", account, error)
        current_app.send_task(CHECK_TASK, args=[account_id])
    except (ExchangeError, VaultError) as error:
        logger.warning("%s cannot be compared now: %s", account, error)
    finally:
        with suppress(LockError):  # it took too long, and another has its turn
            turn.release()


@shared_task(autoretry_for=[ExchangeUnavailable], max_retries=3, default_retry_delay=30, time_limit=300)
def refresh_markets(exchange: str) -> None:
    """Bring one exchange's pairs, steps, minimums and fees up to date; what trades on a lost one pauses."""
    refresh(exchange)
    if gone := lifecycle.pause_where_unlisted(exchange=exchange):
        alarm(Trouble.MARKET_IS_GONE, f"paused is what traded on {', '.join(map(str, gone))}.")


@shared_task(autoretry_for=[ExchangeUnavailable], max_retries=3, default_retry_delay=30, time_limit=60)
def check_clock(exchange: str) -> None:
    """Measure our clock against the exchange's, by which orders go; the operator is told when it is wrong."""
    ahead = skew(public_gateway(exchange))
    remember(exchange, ahead)
    if abs(ahead) > MOST_SKEW:
        seconds = ahead.total_seconds()
        alarm(
            Trouble.CLOCK_IS_WRONG,
            f"it is {seconds:+.1f} s from {exchange}'s. Run a time service such as chrony.",
        )


@shared_task(time_limit=1800)
def check_invariants() -> None:
    """Tell the operator when the books do not keep their rules."""
    breaches = find_breaches()
    if breaches:
        shown = "; ".join(f"{each.rule}: {each.row}, {each.says}" for each in breaches[:SHOWN_BREACHES])
        alarm(
            Trouble.INVARIANT_BROKEN,
            f"{len(breaches)} in all, `manage.py check_invariants` lists them: {shown}",
        )


def _price_to_end_at(orders: list[Order], market: Market) -> Ticker | None:
    """Return the market's prices when an order is over: ending it may need them. None leaves it."""
    now = timezone.now()
    if not any(order.state == Order.State.OPEN and watching.is_over(order, now) for order in orders):
        return None
    try:
        return fetch_ticker(market)
    except ExchangeError as error:
        logger.warning("Orders on %s are not ended without its price: %s", market, error)
        return None


def _decide(task: Task, subscriptions: SubscriptionQuerySet, opened_at: str) -> None:
    """View the market of these subscriptions (all on one market and timeframe) and decide each of them."""
    first = subscriptions.select_related("market").first()
    if first is None:
        return
    market, timeframe, candle = first.market, first.timeframe, datetime.fromisoformat(opened_at)
    claim = partial(wave.claim, timeframe=timeframe, opened_at=candle)
    try:
        view = view_market(market, timeframe, candle, public_gateway(market.exchange))
    except RateLimited as error:
        if not _come_back(task, timeframe, candle, error.seconds):
            cycles = claim(subscriptions.to_decide())
            close_without_decision(cycles, SkipReason.EXCHANGE_UNAVAILABLE, str(error))
        return
    except ExchangeError as error:
        is_passing = isinstance(error, CandleNotReady | ExchangeUnavailable)
        if is_passing and task.request.retries < CRAWL_TRIES:
            raise task.retry(exc=error, countdown=CRAWL_PAUSE_SECONDS) from error
        close_without_decision(claim(subscriptions.to_decide()), SkipReason.MISSING_CANDLE, str(error))
        return
    cycles = claim(subscriptions.to_decide())
    is_large = len(cycles) > wave.BATCH
    wave.decide_all(view, cycles, partial(conclude_all, leave_orders=_send) if is_large else conclude_all)


def _come_back(task: Task, timeframe: str, candle: datetime, seconds: float) -> bool:
    """Start the task anew when its exchange may be asked again; False when the candle is stale by then.

    Not a retry, since nothing has failed: others have their turn, and meanwhile this worker serves them.
    """
    expires_at = stale_at(timeframe, candle + duration(timeframe))
    pause = max(seconds, SHORTEST_PAUSE_SECONDS)
    if timezone.now() + timedelta(seconds=pause) >= expires_at:
        return False
    task.apply_async(task.request.args, countdown=pause, expires=expires_at)
    return True


def _send(moment: MarketMoment, batch: list[Decided]) -> None:
    """Leave the orders of a large wave to whichever workers are free: exchanges take their time."""
    try:
        conclude_batch.apply_async([moment.to_dict(), [decided.to_dict() for decided in batch]])
    except kombu.exceptions.OperationalError:  # without a broker it is done here
        conclude_all(moment, batch)
