"""How an order ends touches nobody else: not its neighbour that is leaving, nor those in the same queue."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from bot_sdk.risk import Signal
from exchanges.gateway import Fill as FillReport
from exchanges.gateway import OrderReport, OrderState, Ticker
from exchanges.paper_gateway import PaperGateway
from execution import orders
from execution.models import Order
from execution.orders import LEAVING, Intent, book, place_order, position_of
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.factories import NOON, make_cycle, make_exchange_account, make_order, make_subscription

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The worker is gone while it sends."""


class DyingGateway(PaperGateway):
    def create_market_order(self, *_: Any, **__: Any) -> OrderReport:
        raise Killed


def intent_of(subscription: Subscription) -> Intent:
    return Intent(
        subscription=subscription,
        signal=Signal(action="BUY", amount=Decimal("0.01"), reason="", source="bot", skip=None),
        moment_at=NOON,
        sized_for=position_of(subscription).holding,
        fresh_until=timezone.now() + timedelta(seconds=5),
    )


def gateway_of(subscription: Subscription, kind: type[PaperGateway] = PaperGateway) -> PaperGateway:
    price = Decimal(60_000)
    ticker = Ticker(last=price, bid=price, ask=price, at=timezone.now())
    return kind("BTC/USDT", subscription.market.rules, ticker)


def test_an_order_that_may_not_leave_hides_none_that_is_leaving() -> None:
    subscription = make_subscription()
    send_by = timezone.now() + timedelta(seconds=5)
    make_order(make_cycle(subscription, age=1), state=Order.State.SENDING, send_by=send_by)
    Subscription.objects.update(sending_until=send_by + LEAVING)

    second = place_order(intent_of(subscription), gateway_of(subscription))

    assert second.state == Order.State.NOT_SENT
    assert Subscription.objects.get().sending_until == send_by + LEAVING


def test_a_message_that_came_twice_does_not_end_what_the_other_worker_has_sent() -> None:
    subscription = make_subscription()
    intent = intent_of(subscription)
    seen_before = orders._record(intent)
    with pytest.raises(Killed):
        place_order(intent, gateway_of(subscription, DyingGateway))

    may_send = orders._claim_for_sending(seen_before, intent)

    assert not may_send
    assert seen_before.state == Order.objects.get().state == Order.State.SENDING


def test_what_does_not_fit_the_books_is_kept_also_when_its_subscription_has_ended() -> None:
    account = make_exchange_account()
    subscription = make_subscription(account.owner, account=account)
    order = make_order(make_cycle(subscription), side="SELL", state=Order.State.UNKNOWN)
    lifecycle.stop(subscription=subscription)
    price, amount = Decimal(60_000), order.amount
    sold = FillReport("1", price, amount, price * amount, Decimal(0), "USDT", timezone.now())

    book(order=order, report=OrderReport(str(order.client_order_id), "7", OrderState.FILLED, (sold,)))

    order.refresh_from_db()
    assert order.state == Order.State.UNKNOWN
    assert "does not fit our books" in order.message
    assert Subscription.objects.get().state == Subscription.State.STOPPED
