from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts.models import Event, Notification, User
from bot_sdk.ledger import Holding
from bot_sdk.risk import Signal
from bots.models import Bot, BotVersion
from exchanges.errors import ExchangeError, OrderRejected, OutcomeUnknown
from exchanges.gateway import OrderReport, Ticker, TradingGateway
from exchanges.paper_gateway import PaperGateway
from execution.freshness import stale_at
from execution.models import Cycle, Fill, Order, Position
from execution.orders import Intent, book, client_order_id, place_order, position_of
from execution.settling import settle_on_paper
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.factories import NOON, make_cycle, make_order, make_subscription, make_user, trader_of

pytestmark = pytest.mark.django_db


@dataclass
class CountingGateway:
    """The paper gateway, or an exchange that answers with `error`; remembers what was sent."""

    cycle: Cycle
    error: ExchangeError | None = None
    sent: list[str] = field(default_factory=list)

    def create_market_order(
        self,
        trading_pair: str,
        side: str,
        amount: Decimal,
        client_order_id: str,
        *,
        send_by: datetime | None = None,
    ) -> OrderReport:
        self.sent.append(client_order_id)
        if self.error is not None:
            raise self.error
        ticker = Ticker(
            last=Decimal("60000.00"), bid=Decimal("59999.50"), ask=Decimal("60000.50"), at=timezone.now()
        )
        paper = PaperGateway(trading_pair, self.cycle.subscription.market.rules, ticker)
        return paper.create_market_order(trading_pair, side, amount, client_order_id, send_by=send_by)

    def create_limit_order(self, *_: Any, **__: Any) -> OrderReport:
        raise NotImplementedError

    def cancel_order(self, exchange_order_id: str) -> OrderReport:
        raise NotImplementedError


def place(cycle: Cycle, wanted: Signal, gateway: TradingGateway, **overrides: Any) -> Order:
    subscription = cycle.subscription
    values: dict[str, Any] = {
        "subscription": subscription,
        "signal": wanted,
        "moment_at": cycle.candle_closed_at,
        "sized_for": position_of(subscription).holding,
        "fresh_until": timezone.now() + timedelta(seconds=30),
        "cycle": cycle,
    }
    return place_order(Intent(**values | overrides), gateway)


def running_cycle(subscription: Subscription, **overrides: Any) -> Cycle:
    return make_cycle(subscription, state=Cycle.State.RUNNING, **overrides)


def signal(action: str = "BUY", amount: str = "0.01") -> Signal:
    return Signal(action=action, amount=Decimal(amount), reason="because", source="bot", skip=None)


def test_a_buy_is_filled_and_the_books_add_up_to_the_last_digit() -> None:
    cycle = running_cycle(make_subscription())

    order = place(cycle, signal(), CountingGateway(cycle))

    assert order.state == Order.State.FILLED
    fill = order.fills.get()
    assert (fill.price, fill.cost, fill.fee) == (Decimal("60000.50"), Decimal("600.005"), Decimal("0.600005"))
    position = position_of(cycle.subscription)
    assert position.quote_balance == Decimal("10000") - Decimal("600.005") - Decimal("0.600005")
    assert position.base_amount == Decimal("0.01")
    assert position.quote_balance + position.cost_basis == cycle.subscription.allocated_capital


def test_buying_and_selling_leaves_what_the_fills_say() -> None:
    subscription = make_subscription()
    first, second = running_cycle(subscription, age=1), running_cycle(subscription)
    place(first, signal("BUY", "0.03"), CountingGateway(first))

    place(second, signal("SELL", "0.03"), CountingGateway(second))

    holding = Holding.start(subscription.allocated_capital)
    spent = sum(fill.cost + fill.fee for fill in Fill.objects.filter(order__side="BUY"))
    earned = sum(fill.cost - fill.fee for fill in Fill.objects.filter(order__side="SELL"))
    position = position_of(subscription)
    assert position.quote_balance == holding.quote_balance - spent + earned
    assert position.realized_pnl == earned - spent
    assert (position.base_amount, position.cost_basis) == (0, 0)


def test_placing_twice_sends_once() -> None:
    cycle = running_cycle(make_subscription())
    gateway = CountingGateway(cycle)
    first = place(cycle, signal(), gateway)

    second = place(cycle, signal(), gateway)

    assert first == second
    assert gateway.sent == [str(first.client_order_id)]
    assert Fill.objects.count() == 1


def test_a_report_that_arrives_twice_is_booked_once() -> None:
    cycle = running_cycle(make_subscription())
    order = make_order(cycle, state=Order.State.SENDING)
    report = CountingGateway(cycle).create_market_order(
        "BTC/USDT", "BUY", order.amount, str(order.client_order_id)
    )

    book(order=order, report=report)
    book(order=order, report=report)

    assert Fill.objects.count() == 1
    assert position_of(cycle.subscription).base_amount == order.amount


def test_a_report_that_cannot_be_true_is_told_also_when_its_bot_was_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cycle = running_cycle(make_subscription())
    order = make_order(cycle, state=Order.State.OPEN)
    report = CountingGateway(cycle).create_market_order(
        "BTC/USDT", "BUY", order.amount * 2, str(order.client_order_id)
    )
    lifecycle.stop(subscription=cycle.subscription)

    booked = book(order=order, report=report)

    assert (booked.state, booked.fills.count()) == (Order.State.UNKNOWN, 0)
    assert "books-do-not-fit" in caplog.text


def test_an_answer_that_never_came_leaves_the_order_unknown_and_is_not_sent_again() -> None:
    cycle = running_cycle(make_subscription())
    gateway = CountingGateway(cycle, error=OutcomeUnknown("the exchange did not answer"))
    order = place(cycle, signal(), gateway)

    again = place(cycle, signal(), gateway)

    assert order.state == again.state == Order.State.UNKNOWN
    assert len(gateway.sent) == 1
    assert not Fill.objects.exists()


def test_a_refused_order_says_why() -> None:
    cycle = running_cycle(make_subscription())
    gateway = CountingGateway(cycle, error=OrderRejected("below the minimum cost"))

    order = place(cycle, signal(), gateway)

    assert (order.state, order.message) == (Order.State.REJECTED, "below the minimum cost")


def pause(subscription: Subscription) -> None:
    lifecycle.pause(subscription=subscription)


def pull_version(subscription: Subscription) -> None:
    BotVersion.objects.filter(pk=subscription.version_id).update(state=BotVersion.State.PULLED)


def suspend_bot(subscription: Subscription) -> None:
    Bot.objects.filter(pk=subscription.bot_id).update(state=Bot.State.SUSPENDED)


def deactivate_trader(subscription: Subscription) -> None:
    User.objects.filter(pk=trader_of(subscription).pk).update(is_active=False)


def end_lease(subscription: Subscription) -> None:
    Cycle.objects.of(subscription).update(lease_until=timezone.now())


def sweep(subscription: Subscription) -> None:
    Cycle.objects.of(subscription).update(state=Cycle.State.INTERRUPTED)


@pytest.mark.parametrize(
    "stop",
    [pause, pull_version, suspend_bot, deactivate_trader, end_lease, sweep],
    ids=lambda stop: stop.__name__,
)
def test_what_was_stopped_meanwhile_sends_nothing(stop: Callable[[Subscription], None]) -> None:
    cycle = running_cycle(make_subscription())
    gateway = CountingGateway(cycle)
    stop(cycle.subscription)

    order = place(cycle, signal(), gateway)

    assert order.state == Order.State.NOT_SENT
    assert gateway.sent == []
    assert position_of(cycle.subscription).base_amount == 0


def test_an_order_that_was_swept_while_it_was_sent_stays_unsent() -> None:
    cycle = running_cycle(make_subscription())
    order = make_order(cycle, state=Order.State.SENDING, send_by=timezone.now() - timedelta(seconds=1))
    report = CountingGateway(cycle).create_market_order(
        "BTC/USDT", "BUY", order.amount, str(order.client_order_id)
    )
    settle_on_paper(timezone.now())

    booked = book(order=order, report=report)

    assert booked.state == Order.State.NOT_SENT
    assert position_of(cycle.subscription).base_amount == 0


def test_what_dead_workers_left_on_paper_is_closed_and_the_rest_is_not() -> None:
    now = timezone.now()
    dead = make_order(
        make_cycle(make_subscription(), state="RUNNING"),
        state=Order.State.SENDING,
        send_by=now - timedelta(seconds=1),
    )
    never = make_order(make_cycle(make_subscription(), state="INTERRUPTED"), state=Order.State.NEW)
    alive = make_order(
        make_cycle(make_subscription(), state="RUNNING"),
        state=Order.State.SENDING,
        send_by=now + timedelta(seconds=1),
    )

    assert settle_on_paper(now) == 2

    states = [Order.objects.get(pk=order.pk).state for order in (dead, never, alive)]
    assert states == [Order.State.NOT_SENT, Order.State.NOT_SENT, Order.State.SENDING]


def test_the_client_order_id_can_be_derived_again() -> None:
    assert client_order_id(7, NOON) == client_order_id(7, NOON)
    assert client_order_id(7, NOON) != client_order_id(8, NOON)
    assert client_order_id(7, NOON) != client_order_id(7, NOON + timedelta(minutes=1))


@pytest.mark.parametrize(("timeframe", "seconds"), [("1m", 30), ("1h", 1800), ("1d", 43_200)])
def test_a_signal_is_stale_after_half_its_candle(timeframe: str, seconds: int) -> None:
    assert stale_at(timeframe, NOON) == NOON + timedelta(seconds=seconds)


def test_the_first_look_opens_the_paper_account() -> None:
    subscription = make_subscription(allocated_capital=Decimal("123.45"))

    assert position_of(subscription).quote_balance == Decimal("123.45")
    assert position_of(subscription).pk == position_of(subscription).pk
    assert Position.objects.count() == 1


def test_three_refusals_in_a_row_pause_the_subscription_with_the_last_reason() -> None:
    subscription = make_subscription()
    gateway = CountingGateway(Cycle(subscription=subscription), error=OrderRejected("no_funds: too little"))

    for age in (3, 2):
        place(running_cycle(subscription, age=age), signal(), gateway)
    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.ACTIVE
    place(running_cycle(subscription), signal(), gateway)

    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.PAUSED
    assert "3 orders in a row were refused" in subscription.state_reason
    assert "no_funds" in subscription.state_reason
    [told] = Notification.objects.all()
    assert (told.person, told.event) == (subscription.trader, Event.HALTED)


def test_the_trader_of_what_was_paused_is_written_to_once(letters: Callable[[], list[EmailMessage]]) -> None:
    trader = make_user()
    paused = [make_subscription(trader) for _ in range(2)]
    stopped = make_subscription(trader, state="STOPPED")

    lifecycle.pause_and_tell(subscriptions=[*paused, stopped], reason="Because of this.")

    [mail] = letters()
    assert (mail.to, mail.subject) == ([trader.email], "2 subscriptions are paused")
    assert str(mail.body).count("Because of this.") == 2
    assert stopped.get_absolute_url() not in mail.body


def test_refusals_with_a_fill_between_pause_nothing() -> None:
    subscription = make_subscription()
    refusing = CountingGateway(Cycle(subscription=subscription), error=OrderRejected("no_funds"))

    for age, gateway in enumerate([refusing, refusing, CountingGateway(refusing.cycle), refusing, refusing]):
        place(running_cycle(subscription, age=9 - age), signal(), gateway)

    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.ACTIVE
