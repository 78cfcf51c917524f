"""How an order ends touches nobody else: not its neighbour that is leaving, nor those in the same queue."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from bot_sdk.risk import Signal
from exchanges.gateway import Ticker
from exchanges.paper_gateway import PaperGateway
from execution.models import Order
from execution.orders import LEAVING, Intent, place_order, position_of
from subscriptions.models import Subscription
from tests.factories import make_cycle, make_order, make_subscription

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
