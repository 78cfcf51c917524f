"""Reports of a sequence of orders, in any order, doubled and in parts, end in one and the same position.

Wherever among them its trader puts capital in, all of that is in it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bot_sdk.ledger import FeeIn, Holding, apply_fill
from bot_sdk.money import exact
from exchanges.gateway import Fill as FillReport
from exchanges.gateway import OrderReport, OrderState
from execution import orders
from execution.capital import change_capital
from execution.models import Fill, Order
from execution.orders import book, client_order_id, fold, position_of
from subscriptions.models import Subscription
from tests.execution.proof import forgotten, new_seed
from tests.factories import NOON, make_exchange_account, make_subscription

CAPITAL, FLOW = Decimal(10_000), Decimal("2500.5")
SMALLEST = Decimal("1e-8")
FEES = {"USDT": FeeIn.QUOTE, "BTC": FeeIn.BASE, "BNB": FeeIn.OTHER}


@dataclass(frozen=True)
class Story:
    """One order as it went at the exchange: its fills in the order in which they happened."""

    side: str
    amount: Decimal
    state: OrderState
    fills: tuple[FillReport, ...]


@dataclass(frozen=True)
class Delivery:
    """One report of the order at this place of the sequence; `is_whole` ones tell how it ended."""

    place: int
    fills: tuple[FillReport, ...]
    is_whole: bool


def parts(total: Decimal, shares: Sequence[int]) -> list[Decimal]:
    """Cut a total in proportion to `shares`; what rounding leaves goes to the last part."""
    cut = [(total * share / sum(shares)).quantize(SMALLEST, ROUND_DOWN) for share in shares[:-1]]
    return [part for part in [*cut, total - sum(cut)] if part > 0]


def after(holding: Holding, side: str, fill: FillReport) -> Holding:
    fee_in = FEES[fill.fee_currency]
    return apply_fill(holding, side, fill.amount, fill.price, fill.fee, fee_in=fee_in, may_overdraw=True)


def end_of(stories: Sequence[Story], capital: Decimal) -> Holding:
    """Return what the exchange's own sequence of fills leaves of the capital."""
    holding = Holding.start(capital)
    for story in stories:
        for fill in story.fills:
            holding = after(holding, story.side, fill)
    return holding


@st.composite
def stories_told(draw: st.DrawFn) -> list[Story]:
    """Buys and sells one after the other, as an honest exchange fills them; what is sold was held."""
    holding, stories = Holding.start(CAPITAL), []
    for place in range(draw(st.integers(1, 5), label="orders")):
        can_sell = holding.base_amount > Decimal("0.001")
        side = draw(st.sampled_from(["BUY", "SELL"] if can_sell else ["BUY"]))
        if side == "BUY":
            total = draw(st.integers(1, 20_000)) * Decimal("0.00001")
        else:
            share = draw(st.sampled_from([Decimal(1), Decimal("0.99"), Decimal("0.37")]))
            total = (holding.base_amount * share).quantize(SMALLEST, ROUND_DOWN)
        fee_currency = draw(st.sampled_from(sorted(FEES)))
        if side == "SELL" and fee_currency == "BTC":  # taken on top of what is sold
            total = (total * Decimal("0.99")).quantize(SMALLEST, ROUND_DOWN)
        amounts = parts(total, draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
        moments = sorted(draw(st.integers(0, 3)) for _ in amounts)
        fills = []
        for number, (amount, moment) in enumerate(zip(amounts, moments, strict=True)):
            price = draw(st.integers(1_000_000, 9_000_000)) * Decimal("0.01")
            basis = amount if fee_currency == "BTC" else amount * price
            fill = FillReport(
                trade_id=f"{place}-{number}",
                price=price,
                amount=amount,
                cost=amount * price,
                fee=(
                    basis * draw(st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.006")]))
                ).quantize(SMALLEST),
                fee_currency=fee_currency,
                filled_at=sent_at(place) + timedelta(seconds=40 * moment),  # the last after the next is sent
            )
            with exact():
                holding = after(holding, side, fill)
            fills.append(fill)
        state = draw(st.sampled_from([OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED]))
        amount = total if state == OrderState.FILLED else total + Decimal("0.001")
        stories.append(Story(side, amount, state, tuple(fills)))
    return stories


@st.composite
def deliveries_of(draw: st.DrawFn, stories: list[Story]) -> list[Delivery]:
    """The whole report of each order, and others again and in parts, all in any order."""
    deliveries = []
    for place, story in enumerate(stories):
        whole = Delivery(place, story.fills, is_whole=True)
        deliveries += [whole] * draw(st.integers(1, 2))
        some = st.lists(st.sampled_from(story.fills), max_size=4)
        for fills in draw(st.lists(some, max_size=3)):
            deliveries.append(Delivery(place, tuple(fills), is_whole=False))
    return draw(st.permutations(deliveries))


def sent_at(place: int) -> datetime:
    return NOON + timedelta(minutes=place)


def write_down(subscription: Subscription, stories: Sequence[Story]) -> list[Order]:
    """Write the orders' rows as they are once they are sent."""
    return [
        Order.objects.create(
            subscription=subscription,
            client_order_id=client_order_id(subscription.pk, sent_at(place)),
            moment_at=sent_at(place),
            side=story.side,
            amount=story.amount,
            state=Order.State.SENDING,
            sent_at=sent_at(place),
            send_by=sent_at(place) + timedelta(seconds=5),
        )
        for place, story in enumerate(stories)
    ]


def deliver(order: Order, story: Story, delivery: Delivery) -> None:
    state = story.state if delivery.is_whole else OrderState.OPEN
    number = str(order.client_order_id)
    book(order=order, report=OrderReport(number, f"exchange-{order.pk}", state, delivery.fills))


def deliver_all(
    rows: Sequence[Order], stories: Sequence[Story], deliveries: Sequence[Delivery], flow_at: int | None
) -> None:
    """Deliver the reports; then ask, as the platform does, about orders that are not final yet.

    A sale that is told of before its purchase does not fit the books, and waits for being asked about. Before
    the report with the number `flow_at` capital is put in.
    """
    for number, delivery in enumerate(deliveries):
        if number == flow_at:
            change_capital(subscription=rows[0].subscription, capital=CAPITAL + FLOW, revision=0)
        deliver(rows[delivery.place], stories[delivery.place], delivery)
    for _ in rows:
        for place, (order, story) in enumerate(zip(rows, stories, strict=True)):
            order.refresh_from_db()
            if not order.is_final:
                deliver(order, story, Delivery(place, story.fills, is_whole=True))


def check(
    subscription: Subscription, stories: list[Story], deliveries: list[Delivery], flow_at: int | None
) -> None:
    rows = write_down(subscription, stories)

    deliver_all(rows, stories, deliveries, flow_at)

    expected = end_of(stories, CAPITAL if flow_at is None else CAPITAL + FLOW)
    subscription = Subscription.objects.select_related("market").get(pk=subscription.pk)
    booked = [fill for order in rows for fill in order.fills.select_related("order")]
    assert position_of(subscription).holding == expected
    assert fold(subscription, booked) == expected
    assert len(booked) == sum(len(story.fills) for story in stories)
    assert [Order.objects.get(pk=order.pk).state for order in rows] == [story.state for story in stories]


@pytest.fixture
def subscription(db: None, caplog: pytest.LogCaptureFixture) -> Subscription:
    caplog.set_level(logging.CRITICAL + 1)  # each sale before its purchase is an alarm
    held = {"USDT": {"free": "100000", "locked": "0"}}
    account = make_exchange_account(balances=held, balances_at=timezone.now())
    return make_subscription(account.owner, account=account, allocated_capital=CAPITAL)


def run_examples(
    subscription: Subscription,
    examples: int,
    phases: Sequence[Phase] = (Phase.generate, Phase.shrink),
) -> None:
    @seed(new_seed())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=phases,
        report_multiple_bugs=False,
    )
    @given(st.data())
    def example(data: st.DataObject) -> None:
        stories = data.draw(stories_told())
        deliveries = data.draw(deliveries_of(stories))
        flow_at = data.draw(st.none() | st.integers(0, len(deliveries) - 1))
        with forgotten():
            check(subscription, stories, deliveries, flow_at)

    example()


def test_reports_in_any_order_doubled_and_in_parts_end_in_one_position(subscription: Subscription) -> None:
    run_examples(subscription, 100)


@pytest.mark.release
def test_reports_end_in_one_position_twenty_thousand_times(subscription: Subscription) -> None:
    run_examples(subscription, 20_000)


def test_without_the_fold_the_order_of_reports_shows(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm: what comes late is added at the end, as if nothing had come before it."""
    monkeypatch.setattr(orders, "booking_order", lambda _fill: 0)

    with pytest.raises(AssertionError):
        run_examples(subscription, 150, [Phase.generate])


def test_without_the_trade_ids_doubled_reports_are_booked_twice(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm: every report's fills count as new."""
    known_as = iter(range(10**9))
    honest = orders._new_fills

    def forgetful(order: Order, reports: Sequence[FillReport]) -> list[Fill]:
        return honest(order, [replace(each, trade_id=f"{next(known_as)}") for each in reports])

    monkeypatch.setattr(orders, "_new_fills", forgetful)

    with pytest.raises(AssertionError):
        run_examples(subscription, 150, [Phase.generate])
