"""From what a bot said to what is done: signal, order, and the whole cycle written down, many at once."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.utils import timezone

from bot_sdk.money import cost_of
from bot_sdk.risk import BOT, Signal, SkipReason, decide
from bots.models import BotVersion
from exchanges.errors import ExchangeError
from exchanges.gateways import trading_gateway
from exchanges.vault import VaultError
from execution import bulk, envelope
from execution.alarms import Trouble, alarm
from execution.cycle import MarketMoment
from execution.deciding import Decided
from execution.models import GUARD, Action, Cycle, Order
from execution.orders import Intent, place_order, position_of, read_positions
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
RESULT_FIELDS = (  # what a cycle's end writes, beside that it has ended
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

HandOn = Callable[[MarketMoment, list[Decided]], None]


def conclude_all(
    moment: MarketMoment, decided: Sequence[Decided], leave_orders: HandOn | None = None
) -> None:
    """Act on each decision and write its cycles down together.

    Cycles come with subscription, version and market; what they hold is read here, as it is now. One that is
    no longer this worker's is left alone. Those that want an order go to `leave_orders`, where it is given.
    One subscription's trouble stays its own: whatever ends a cycle is written on it, and the others go on.
    """
    late = [each for each in decided if each.is_late]
    close_without_decision(_cycles_of(late), SkipReason.STALE_CANDLE, TOO_LATE)
    timely = [each for each in decided if not each.is_late]
    signals = _signals(moment, timely)
    left: set[int] = set()
    if leave_orders is not None:
        left = {pk for pk, signal in signals.items() if signal.action != Action.HOLD}
        if left:
            leave_orders(moment, _only(timely, left))
    ended = _act_on(moment, _only(timely, signals.keys() - left), signals)
    _write(ended)
    remember([cycle.subscription for cycle in ended], at=timezone.now(), bid=moment.ticker.bid)


def close_without_decision(cycles: list[Cycle], skip: SkipReason, message: str) -> None:
    """Finish cycles in which no bot ran, with the reason for the trader."""
    for cycle in cycles:
        _skip(cycle, skip, message)
    _write(cycles)


def _cycles_of(decided: Iterable[Decided]) -> list[Cycle]:
    return [cycle for each in decided for cycle in each.cycles]


def _only(decided: Iterable[Decided], wanted: Collection[int]) -> list[Decided]:
    """Return the decisions with those of their cycles whose ids are wanted."""
    found = (replace(each, cycles=[cycle for cycle in each.cycles if cycle.pk in wanted]) for each in decided)
    return [each for each in found if each.cycles]


def _signals(moment: MarketMoment, decided: Sequence[Decided]) -> dict[int, Signal]:
    """Return by each cycle's id what is to be done. One that its trouble has ended is left out."""
    are_read = _have_read([cycle.subscription for cycle in _cycles_of(decided)])
    signals = {}
    for each in decided:
        for cycle in each.cycles:
            with _trouble_of(cycle):
                if not are_read:
                    read_positions([cycle.subscription])
                signals[cycle.pk] = _signal(moment, cycle.subscription, each.run)
    return signals


def _have_read(subscriptions: list[Subscription]) -> bool:
    """Read what all of them hold; False if it has to be tried for each by itself."""
    try:
        read_positions(subscriptions)
    except DatabaseError:  # the connection may have broken while the bots ran
        logger.exception("What %d subscriptions hold could not be read together", len(subscriptions))
        connection.close_if_unusable_or_obsolete()
        return False
    return True


def _signal(moment: MarketMoment, subscription: Subscription, run: Run | None) -> Signal:
    """Put what the bot said through risk management; where it was not asked, only a stop can sell."""
    position, risk, ticker, now = subscription.position, subscription.risk, moment.ticker, timezone.now()
    return decide(
        action=None if run is None else run.action,
        holding=position.holding,
        bid=ticker.bid,
        ask=ticker.ask,
        rules=moment.market.rules,
        execution=subscription.execution,
        risk=risk,
        allocated_capital=subscription.allocated_capital,
        state=seen(position, risk, at=now, bid=ticker.bid),
        at=now,
    )


def _act_on(moment: MarketMoment, decided: Sequence[Decided], signals: Mapping[int, Signal]) -> list[Cycle]:
    """Do what is to be done, describe all on the cycles, and return those that are still ours."""
    earlier = {order.cycle_id: order for order in Order.objects.filter(cycle__in=_cycles_of(decided))}
    ended = []
    for each in decided:
        if each.run is not None and each.run.verdict == Verdict.UNAVAILABLE:
            alarm(Trouble.BOTS_NOT_RUN, each.run.message)
        outcome = None if each.run is None else _outcome(each.run, each.receipt, is_shared=each.is_shared)
        for cycle in each.cycles:
            with _trouble_of(cycle):
                signal = signals[cycle.pk]
                _describe_signal(cycle, signal)
                if outcome is None:
                    _say_why_not_asked(cycle, each.gap)
                else:
                    _describe_run(cycle, outcome)
                if _act(moment, cycle, signal, earlier.get(cycle.pk)):
                    ended.append(cycle)
    return ended


def _act(moment: MarketMoment, cycle: Cycle, signal: Signal, earlier: Order | None) -> bool:
    """Place the order that is wanted and describe what came of it; False if the cycle is not ours.

    `earlier` is the order of a worker that had the same message and died between order and cycle.
    """
    subscription = cycle.subscription
    position = subscription.position
    cycle.price = moment.ticker.last
    if earlier is not None:
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


def _say_why_not_asked(cycle: Cycle, gap: str) -> None:
    """Say on the cycle why the bot was not asked; a stop may sell all the same."""
    is_quarantined = cycle.subscription.version.state == BotVersion.State.QUARANTINED
    if cycle.skip:
        unasked = SkipReason.VERSION_QUARANTINED if is_quarantined else SkipReason.BOT_STOPPED
        cycle.skip = SkipReason.GAPPED_CANDLES if gap else unasked
    cycle.message = gap or (QUARANTINED if is_quarantined else STOPPED_BY_STAFF)


def _describe_run(cycle: Cycle, outcome: Mapping[str, Any]) -> None:
    for name, value in outcome.items():
        setattr(cycle, name, value)
    if cycle.verdict == Verdict.UNAVAILABLE and cycle.skip:
        cycle.skip = SkipReason.PLATFORM_ERROR


def _outcome(run: Run, receipt: Receipt | None, *, is_shared: bool) -> dict[str, Any]:
    """Return what one run puts on each cycle that it decided, by the cycle's fields."""
    outcome = {
        "verdict": run.verdict,
        "message": run.message,
        "log": run.log,
        "asked": [asdict(asked) for asked in run.asked],
        "bot_seconds": run.seconds,
        "bot_cpu_seconds": run.cpu_seconds,
        "bot_peak_memory_mb": run.peak_memory_mb,
        "is_shared": is_shared,
    }
    if receipt is not None:
        outcome |= {"inputs": receipt.digest, "receipt": asdict(receipt)}
    if run.action is not None:
        said = run.action
        outcome |= {"action": said.action, "value": said.value, "reason": said.reason[:500]}
    return outcome


def _skip(cycle: Cycle, skip: SkipReason, message: str) -> None:
    cycle.skip = skip
    cycle.message = message
    cycle.signal_action = Action.HOLD


def _write(cycles: list[Cycle]) -> None:
    """Write the cycles' ends in one statement, or, when that fails, each by itself."""
    try:
        _write_together(cycles)
    except (DatabaseError, ValueError, ValidationError):  # a value that cannot be sent is one of the last two
        logger.exception("%d cycles could not be written together", len(cycles))
        connection.close_if_unusable_or_obsolete()
        for cycle in cycles:
            with _trouble_of(cycle):
                _write_together([cycle])


def _write_together(cycles: list[Cycle]) -> None:
    """Write those that are still this worker's."""
    bulk.update(
        cycles,
        RESULT_FIELDS,
        matching=("claim", "state"),
        also={"state": Cycle.State.DONE, "finished_at": timezone.now()},
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
            for row in Cycle.objects.claimed_by(cycle):
                _skip(row, SkipReason.PLATFORM_ERROR, OUR_FAULT)
                _write_together([row])
        except DatabaseError:
            logger.exception("Cycle %s could not be closed", cycle.pk)
