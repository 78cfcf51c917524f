"""From what a bot said to what is done: signal, order, and the whole cycle written down, many at once."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from bot_sdk.money import cost_of
from bot_sdk.risk import BOT, Signal, SkipReason
from bots.models import BotVersion
from exchanges.errors import ExchangeError
from exchanges.gateways import trading_gateway
from exchanges.vault import VaultError
from execution import envelope
from execution.alarms import Trouble, alarm
from execution.cycle import MarketMoment, conclude
from execution.deciding import Decided
from execution.models import GUARD, Action, Cycle, Order
from execution.orders import Intent, place_order, position_of
from execution.protection import remember, seen
from execution.sandbox import Receipt, Run, Verdict
from execution.watching import make_way
from execution.words import skip_words
from subscriptions.models import Subscription

logger = logging.getLogger(__name__)

TOO_LATE = "The bot was asked too late after the candle's close for its signal to be traded on."
OUR_FAULT = "Something failed on our side during this cycle. Nothing more was ordered."
QUARANTINED = "This version of the bot is in quarantine and was not run."
STOPPED_BY_STAFF = "Staff have stopped this bot, and it was not run."

UNDONE = {
    Order.State.REJECTED: SkipReason.ORDER_REJECTED,
    Order.State.NOT_SENT: SkipReason.ORDER_NOT_SENT,
}
RESULT_FIELDS = (  # what a cycle's end writes
    "state",
    "finished_at",
    "verdict",
    "message",
    "action",
    "value",
    "reason",
    "signal_action",
    "signal_source",
    "signal_reason",
    "skip",
    "price",
    "equity",
    "capital",
    "growth",
    "inputs",
    "receipt",
    "asked",
    "is_shared",
    "log",
    "bot_seconds",
    "bot_cpu_seconds",
    "bot_peak_memory_mb",
)


def conclude_all(moment: MarketMoment, decided: Iterable[Decided]) -> None:
    """Act on each decision and write its cycles down together.

    Cycles come with subscription, market and position. One that is no longer this worker's is left alone.
    One subscription's trouble stays its own: whatever ends a cycle is written on it, and the others go on.
    """
    ended: list[Cycle] = []
    for each in decided:
        if each.run is not None and each.run.verdict == Verdict.UNAVAILABLE:
            alarm(Trouble.BOTS_NOT_RUN, each.run.message)
        for cycle in each.cycles:
            with _trouble_of(cycle):
                if _act(moment, cycle, each):
                    ended.append(cycle)
    _write(ended)
    looked_at = [cycle.subscription for cycle in ended if cycle.price is not None]
    remember(looked_at, at=timezone.now(), bid=moment.ticker.bid)


def close_without_decision(cycles: list[Cycle], skip: SkipReason, message: str) -> None:
    """Finish cycles in which no bot ran, with the reason for the trader."""
    for cycle in cycles:
        _skip(cycle, skip, message)
    _write(cycles)


def _act(moment: MarketMoment, cycle: Cycle, decided: Decided) -> bool:
    """Place the order that the decision asks for and describe all on the cycle; False if it is not ours."""
    if decided.is_late:
        _skip(cycle, SkipReason.STALE_CANDLE, TOO_LATE)
        return True
    run, subscription = decided.run, cycle.subscription
    now = timezone.now()
    signal = conclude(
        None if run is None else run.action,
        subscription.config,
        moment=moment,
        holding=subscription.position.holding,
        allocated_capital=subscription.allocated_capital,
        state=seen(subscription.position, subscription.risk, at=now, bid=moment.ticker.bid),
        at=now,
    )
    if run is None:
        _describe_without_run(cycle, signal, decided.gap)
    else:
        _describe(cycle, run, signal, decided.receipt, is_shared=decided.is_shared)
    cycle.price = moment.ticker.last
    position = subscription.position
    earlier: Order | None = getattr(cycle, "order", None)
    if earlier is not None:  # this message came before, and its worker died between order and cycle
        cycle.signal_action, cycle.skip, cycle.message = earlier.side, "", earlier.message
    elif signal.action != Action.HOLD and (block := _block(subscription, signal, moment.ticker.last)):
        cycle.skip, cycle.signal_action, cycle.message = block, Action.HOLD, skip_words(block)
    elif signal.action != Action.HOLD:
        if not Cycle.objects.claimed_by(cycle).exists():
            return False
        if timezone.now() < moment.stale_at:
            _order(moment, cycle, signal)
            position = position_of(subscription)
        else:
            cycle.skip, cycle.message = SkipReason.STALE_CANDLE, TOO_LATE
    cycle.equity = position.holding.equity(moment.ticker.last)
    cycle.growth = position.past.growth(cycle.equity)
    cycle.capital = None if cycle.growth is None else position.holding.capital
    return True


def _order(moment: MarketMoment, cycle: Cycle, signal: Signal) -> None:
    """Place the order and say on the cycle what came of it."""
    subscription = cycle.subscription
    rests_for = subscription.execution.limit_timeout_seconds
    intent = Intent(
        subscription=subscription,
        signal=signal,
        moment_at=cycle.candle_closed_at,
        sized_for=subscription.position.holding,
        fresh_until=moment.stale_at,
        cycle=cycle,
        bid=moment.ticker.bid,
        expires_at=timezone.now() + timedelta(seconds=rests_for)
        if signal.limit_price and rests_for
        else None,
    )
    try:
        with trading_gateway(subscription.account, moment.market, moment.ticker) as gateway:
            if signal.action == Action.SELL:
                make_way(subscription, gateway)
            order = place_order(intent, gateway)
    except (ExchangeError, VaultError) as error:  # raised before anything was sent
        cycle.skip, cycle.message = SkipReason.EXCHANGE_UNAVAILABLE, str(error)
    else:
        cycle.message = order.message or cycle.message
        cycle.skip = UNDONE.get(Order.State(order.state), cycle.skip)


def _block(subscription: Subscription, signal: Signal, price: Decimal) -> SkipReason | None:
    """Say what forbids an order: an earlier one (one that merely rests gives way to a stop), or a switch."""
    hindering = Order.objects.in_the_way(subscription, signal.action).values_list("state", "leg")
    if any(state != Order.State.OPEN for state, _ in hindering):
        return SkipReason.ORDER_UNKNOWN
    if signal.source == BOT and any(leg != GUARD for _, leg in hindering):
        return SkipReason.ORDER_OPEN
    return envelope.objection(subscription, signal.action, cost_of(signal.amount, price))


def _describe_signal(cycle: Cycle, signal: Signal) -> None:
    cycle.signal_action = signal.action
    cycle.signal_source = signal.source
    cycle.signal_reason = signal.reason[:500]
    cycle.skip = signal.skip or ""


def _describe_without_run(cycle: Cycle, signal: Signal, gap: str) -> None:
    """Say on the cycle why the bot was not asked; a stop may have acted all the same."""
    _describe_signal(cycle, signal)
    is_quarantined = cycle.subscription.version.state == BotVersion.State.QUARANTINED
    if cycle.skip:
        unasked = SkipReason.VERSION_QUARANTINED if is_quarantined else SkipReason.BOT_STOPPED
        cycle.skip = SkipReason.GAPPED_CANDLES if gap else unasked
    cycle.message = gap or (QUARANTINED if is_quarantined else STOPPED_BY_STAFF)


def _describe(cycle: Cycle, run: Run, signal: Signal, receipt: Receipt | None, *, is_shared: bool) -> None:
    """Put what was run, said and signaled on the cycle."""
    _describe_signal(cycle, signal)
    cycle.verdict = run.verdict
    cycle.message = run.message
    cycle.log = run.log
    cycle.asked = [asdict(asked) for asked in run.asked]
    cycle.bot_seconds = run.seconds
    cycle.bot_cpu_seconds = run.cpu_seconds
    cycle.bot_peak_memory_mb = run.peak_memory_mb
    cycle.is_shared = is_shared
    if receipt is not None:
        cycle.inputs, cycle.receipt = receipt.digest, asdict(receipt)
    if run.action is not None:
        cycle.action = run.action.action
        cycle.value = run.action.value
        cycle.reason = run.action.reason[:500]
    if run.verdict == Verdict.UNAVAILABLE and signal.skip:
        cycle.skip = SkipReason.PLATFORM_ERROR


def _skip(cycle: Cycle, skip: SkipReason, message: str) -> None:
    cycle.skip = skip
    cycle.message = message
    cycle.signal_action = Action.HOLD


def _write(cycles: list[Cycle]) -> None:
    """Write the cycles' ends in one statement, or, when that fails, each by itself."""
    try:
        _write_together(cycles)
    except DatabaseError:
        logger.exception("%d cycles could not be written together", len(cycles))
        connection.close_if_unusable_or_obsolete()
        for cycle in cycles:
            with _trouble_of(cycle):
                _write_together([cycle])


def _write_together(cycles: list[Cycle]) -> None:
    """Write those that are still this worker's."""
    now = timezone.now()
    with transaction.atomic():
        running = Cycle.objects.select_for_update().filter(
            claim__in={cycle.claim for cycle in cycles}, state=Cycle.State.RUNNING
        )
        ours = set(running.filter(pk__in=[cycle.pk for cycle in cycles]).values_list("pk", flat=True))
        ended = [cycle for cycle in cycles if cycle.pk in ours]
        for cycle in ended:
            cycle.state, cycle.finished_at = Cycle.State.DONE, now
        Cycle.objects.bulk_create(
            ended, update_conflicts=True, unique_fields=["id"], update_fields=RESULT_FIELDS
        )


@contextmanager
def _trouble_of(cycle: Cycle) -> Iterator[None]:
    """Keep an error of ours to its one cycle; a cycle that cannot be written is swept later."""
    try:
        yield
    except Exception:
        logger.exception("Cycle %s failed", cycle.pk)
        connection.close_if_unusable_or_obsolete()
        try:
            # from the row as it stands: what could not be written is left behind
            row = Cycle.objects.get(pk=cycle.pk)
            _skip(row, SkipReason.PLATFORM_ERROR, OUR_FAULT)
            _write_together([row])
        except DatabaseError:
            logger.exception("Cycle %s could not be closed", cycle.pk)
