"""What subscriptions have done so far, in the metrics that backtests have, on paper and at exchanges alike.

A subscription that trades by the minute has half a million cycles a year. So a day's equity is read once and
kept: each measurement reads only the cycles since the one before. Fills are few, and read again from the
first, since trades are made of them.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from itertools import batched
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, TruncDate

from bot_sdk import trades as sdk
from bot_sdk.equity import DailyEquity, daily_equity, daily_values
from bot_sdk.execution_statistics import execution_statistics, slippage_percent
from bot_sdk.ledger import LedgerError
from bot_sdk.metrics import measure
from execution.models import Cycle, CycleQuerySet, Fill, Order, SubscriptionPerformance
from execution.orders import SIGNAL, booking_order
from execution.round_trips import UNREAD, sdk_fill
from subscriptions.models import CapitalChange, Subscription

BATCH = 100  # subscriptions that are read, measured and written together

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _MOMENT = timedelta(days=1), timedelta(microseconds=1)
_FIELDS = ("measured_at", "measured_until", "metrics", "daily", "trades", "execution")


class _Day(NamedTuple):
    """What the last cycle of a UTC day found: equity in quote, and the price in quote per base.

    `growth` and `capital` are those of the cycle: None while no capital had been put in or taken out.
    """

    day: date
    opened_at: datetime
    equity: Decimal
    price: Decimal
    growth: Decimal | None
    capital: Decimal | None

    def equity_of(self, start: Decimal | float) -> Decimal | float:
        """Return what the capital at the start would have become if it had been left alone."""
        return self.equity if self.growth is None else float(start) * float(self.growth)

    def money_of(self, start: Decimal | float) -> Decimal | float:
        """Return the capital at the start and the profit since."""
        return self.equity if self.capital is None else float(start) + float(self.equity - self.capital)


def measure_all(at: datetime) -> int:
    """Measure every subscription that has decided since it was last measured; return how many there were."""
    due = Subscription.objects.filter(Exists(_valued().filter(subscription=OuterRef("pk"))))
    ids = list(due.order_by("pk").values_list("pk", flat=True))
    for batch in batched(ids, BATCH):
        _Batch(batch).measure(at)
    return len(ids)


class _Batch:
    """What is new of some subscriptions, each kind of it read by one query."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = ids
        self._days = self._read_days()
        self._first_prices = self._read_first_prices()
        self._counts = self._read_counts()
        self._fills = self._read_fills()
        self._latencies = self._read_latencies()

    def measure(self, at: datetime) -> None:
        """Measure and write them; one whose fills do not fit together keeps what it had."""
        rows = Subscription.objects.filter(pk__in=self._days)
        subscriptions = list(rows.select_related("market", "position", "performance"))
        changed = self._read_changed_starts()  # after the rows, so that none is missed
        measured = []
        for subscription in subscriptions:
            capital = changed.get(subscription.pk, subscription.allocated_capital)
            try:
                measured.append(self._measured(subscription, capital, at))
            except LedgerError as error:
                logger.error("Subscription %s cannot be measured: %s", subscription.pk, error)
        SubscriptionPerformance.objects.bulk_create(
            measured, update_conflicts=True, unique_fields=["subscription"], update_fields=_FIELDS
        )

    def _measured(
        self, subscription: Subscription, capital: Decimal, at: datetime
    ) -> SubscriptionPerformance:
        """Return what to write; it began with this capital."""
        known: SubscriptionPerformance | None = getattr(subscription, "performance", None)
        days = self._days[subscription.pk]
        first_price = self._first_prices.get(subscription.pk, days[0].price)
        equity, market = _extended(known, (capital, first_price), days)
        fills = [sdk_fill(fill, subscription.market) for fill in self._fills[subscription.pk]]
        trades = list(sdk.trades_of(fills, rules=subscription.market.rules))
        return SubscriptionPerformance(
            subscription=subscription,
            measured_at=at,
            measured_until=days[-1].opened_at,
            metrics=measure(equity, trades, buy_and_hold=market),
            daily={
                "start_on": equity.start_on.isoformat(),
                "equity": equity.values.tolist(),
                "market": market.values.tolist(),
                **({} if equity.money is None else {"money": equity.money.tolist()}),
            },
            trades=len(trades),
            execution=self._execution(subscription, known, fills),
        )

    def _execution(
        self, subscription: Subscription, known: SubscriptionPerformance | None, fills: list[sdk.Fill]
    ) -> dict[str, Any]:
        statistics = execution_statistics(
            latencies=self._latencies[subscription.pk],
            slippages=[
                slippage_percent(fill.side, decided_price=fill.decided_price, fill_price=fill.price)
                for fill in fills
                if fill.decided_price
            ],
            fees=[subscription.position.fees_paid],
            skips=[],
            verdicts=[],
        )
        before = known.execution if known else {"skips": {}, "verdicts": {}}
        skips, verdicts = self._counts[subscription.pk]
        return {
            "latency_seconds": asdict(statistics.latency_seconds),
            "slippage_percent": asdict(statistics.slippage_percent),
            "fees": float(statistics.fees),
            "skips": dict((skips + Counter(before["skips"])).most_common()),
            "verdicts": dict((verdicts + Counter(before["verdicts"])).most_common()),
        }

    def _read_days(self) -> dict[int, list[_Day]]:
        ends = _valued().filter(subscription__in=self._ids)
        ends = ends.annotate(day=TruncDate(F("candle_closed_at") - _MOMENT, tzinfo=UTC))
        newest = ends.order_by("subscription", "day", "-candle_opened_at").distinct("subscription", "day")
        days: dict[int, list[_Day]] = defaultdict(list)
        rows = newest.values_list(
            "subscription", "day", "candle_opened_at", "equity", "price", "growth", "capital"
        )
        for pk, day, opened_at, equity, price, growth, capital in rows:
            assert equity is not None
            assert price is not None
            days[pk].append(_Day(day, opened_at, equity, price, growth, capital))
        return days

    def _read_changed_starts(self) -> dict[int, Decimal]:
        """Return the capital at the start of those of which it was changed later."""
        changes = CapitalChange.objects.filter(subscription__in=self._ids)
        first = changes.order_by("subscription_id", "revision").distinct("subscription_id")
        return {change.subscription_id: change.before for change in first}

    def _read_first_prices(self) -> dict[int, Decimal]:
        """Return the price of the first cycle of those that were never measured."""
        new = _valued().filter(subscription__in=self._ids, subscription__performance=None)
        first = new.order_by("subscription", "candle_opened_at").distinct("subscription")
        return {pk: price for pk, price in first.values_list("subscription", "price") if price is not None}

    def _read_counts(self) -> dict[int, tuple[Counter[str], Counter[str]]]:
        """Return how many cycles had which skip, and which verdict.

        Up to the newest day's value and no further: later ones are new the next time as well.
        """
        until = (
            Q(subscription=pk, candle_opened_at__lte=days[-1].opened_at) for pk, days in self._days.items()
        )
        counted = _new().filter(reduce(or_, until, Q(pk=None)))
        grouped = counted.order_by().values("subscription", "skip", "verdict")
        counts: dict[int, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
        rows = grouped.annotate(count=Count("pk"))
        for pk, skip, verdict, count in rows.values_list("subscription", "skip", "verdict", "count"):
            skips, verdicts = counts[pk]
            skips.update({skip: count} if skip else {})
            verdicts.update({verdict: count} if verdict else {})
        return counts

    def _read_fills(self) -> dict[int, list[Fill]]:
        fills: dict[int, list[Fill]] = defaultdict(list)
        found = Fill.objects.filter(order__subscription__in=self._ids).select_related("order__cycle")
        for fill in found.defer(*UNREAD):
            fills[fill.order.subscription_id].append(fill)
        for those in fills.values():
            those.sort(key=booking_order)
        return fills

    def _read_latencies(self) -> dict[int, list[float]]:
        """Return how many seconds after its candle's close each order was sent."""
        sent = Order.objects.filter(subscription__in=self._ids, leg=SIGNAL, sent_at__isnull=False)
        latencies: dict[int, list[float]] = defaultdict(list)
        for pk, sent_at, closed_at in sent.order_by("pk").values_list("subscription", "sent_at", "moment_at"):
            assert sent_at is not None
            latencies[pk].append((sent_at - closed_at).total_seconds())
        return latencies


def _new() -> CycleQuerySet:
    """Cycles that ended since their subscription was last measured."""
    measured_until = Coalesce("subscription__performance__measured_until", _EPOCH)
    ended = Cycle.objects.filter(state=Cycle.State.DONE).alias(measured_until=measured_until)
    return ended.filter(candle_opened_at__gt=F("measured_until"))


def _valued() -> CycleQuerySet:
    """Those of them that found a price and what everything was worth at it."""
    return _new().filter(equity__isnull=False, price__isnull=False)


def _extended(
    known: SubscriptionPerformance | None, start: tuple[Decimal, Decimal], days: list[_Day]
) -> tuple[DailyEquity, DailyEquity]:
    """Return equity and market from the first day to the last new one.

    `start` is the capital at the start and the market's price then, for what was never measured.
    """
    points: list[tuple[datetime, Decimal | float, Decimal | float, Decimal | float]]
    if known is None:
        capital, price = start
        points = [(_midnight(days[0].day), capital, price, capital)]
    else:
        daily = known.daily
        start_on = date.fromisoformat(daily["start_on"])
        measured = zip(daily["equity"], daily["market"], daily.get("money", daily["equity"]), strict=True)
        [first, *others] = measured
        points = [(_midnight(start_on + _DAY), *first)]
        points += [(_within(start_on + number * _DAY), *each) for number, each in enumerate(others, start=1)]
    begun_with = points[0][1]
    points += [
        (_within(each.day), each.equity_of(begun_with), each.price, each.money_of(begun_with))
        for each in days
    ]
    equity = daily_equity((at, equity) for at, equity, _, _ in points)
    if (known and "money" in known.daily) or any(each.capital is not None for each in days):
        equity = replace(equity, money=daily_values((at, money) for at, _, _, money in points)[1])
    return equity, daily_equity((at, price) for at, _, price, _ in points)


def _within(day: date) -> datetime:
    return _midnight(day) + _MOMENT


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
