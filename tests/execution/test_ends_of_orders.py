"""How an order ends touches nobody else: not its neighbour that is leaving, nor those in the same queue."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bot_sdk.risk import Signal
from exchanges.gateway import Fill as FillReport
from exchanges.gateway import OrderReport, OrderState, Ticker
from exchanges.paper_gateway import PaperGateway
from execution.models import Order
from execution.orders import LEAVING, Intent, book, place_order, position_of
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.factories import make_cycle, make_exchange_account, make_order, make_subscription

pytestmark = pytest.mark.django_db


def test_an_order_that_may_not_leave_hides_none_that_is_leaving() -> None:
    subscription = make_subscription()
    send_by = timezone.now() + timedelta(seconds=5)
    make_order(make_cycle(subscription, age=1), state=Order.State.SENDING, send_by=send_by)
    Subscription.objects.update(sending_until=send_by + LEAVING)
    signal = Signal(action="BUY", amount=Decimal("0.01"), reason="", source="bot", skip=None)
    price = Decimal(60_000)
    gateway = PaperGateway(
        "BTC/USDT", subscription.market.rules, Ticker(last=price, bid=price, ask=price, at=timezone.now())
    )

    second = place_order(
        Intent(
            subscription=subscription,
            signal=signal,
            moment_at=timezone.now(),
            sized_for=position_of(subscription).holding,
            fresh_until=send_by,
        ),
        gateway,
    )

    assert second.state == Order.State.NOT_SENT
    assert Subscription.objects.get().sending_until == send_by + LEAVING


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
