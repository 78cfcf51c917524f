"""What a subscription has done, measured from its own cycles and fills."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from bot_sdk.metric_table import CONVENTION
from execution import tasks
from execution.models import Cycle, Order, SubscriptionPerformance
from execution.orders import position_of
from execution.performance import measure_all
from subscriptions.models import Subscription
from tests.factories import make_bot, make_cycle, make_fill, make_market, make_order, make_subscription

pytestmark = pytest.mark.django_db

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 9, tzinfo=UTC)


def cycle_at(subscription: Subscription, hours: int, equity: int | None, price: int, **values: Any) -> Cycle:
    """Return a finished cycle for the candle that opened so many hours after the first day began."""
    opened_at = FIRST_DAY + hours * HOUR
    found = {
        "candle_opened_at": opened_at,
        "candle_closed_at": opened_at + HOUR,
        "equity": equity,
        "price": price,
    }
    return make_cycle(subscription, **found | values)


def fill_of(cycle: Cycle, side: str, price: int, fee: str) -> None:
    """Have the cycle's order, sent 3 seconds after its candle's close, filled for 0.1 base."""
    sent_at = cycle.candle_closed_at + timedelta(seconds=3)
    amount = Decimal("0.1")
    order = make_order(cycle, side=side, amount=amount, sent_at=sent_at, source="bot", reason="wanted")
    make_fill(order, price=price, cost=price * amount, fee=Decimal(fee), filled_at=sent_at)


@pytest.fixture
def subscription(bob: User) -> Subscription:
    """One with 10,000 of capital and a round trip in its first two days."""
    found = make_subscription(bob, timeframe="1h")
    bought = cycle_at(found, 9, 10_000, 60_000)
    fill_of(bought, "BUY", 60_030, "6.003")
    sold = cycle_at(found, 23, 10_200, 61_000)  # at whose close the day ends
    fill_of(sold, "SELL", 61_000, "6.1")
    cycle_at(found, 24, None, 61_000, verdict="", skip="stale_candle")
    cycle_at(found, 30, 9_180, 60_500, skip="no_position")
    position = position_of(found)
    position.fees_paid = Decimal("12.103")
    position.save()
    return found


def measured(subscription: Subscription) -> SubscriptionPerformance:
    return SubscriptionPerformance.objects.get(subscription=subscription)


def test_equity_is_taken_at_each_days_end_in_utc(subscription: Subscription) -> None:
    cycle_at(subscription, 3 * 24 + 5, 9_639, 66_000)

    assert measure_all(NOW) == 1

    found = measured(subscription)
    assert found.daily["start_on"] == "2026-03-01"
    assert found.daily["equity"] == [10_000, 10_200, 9_180, 9_180, 9_639]
    assert found.daily["market"] == [60_000, 61_000, 60_500, 60_500, 66_000]
    assert found.days == 4
    assert (found.measured_at, found.measured_until) == (NOW, FIRST_DAY + 77 * HOUR)


def test_metrics_are_those_of_backtests(subscription: Subscription) -> None:
    measure_all(NOW)

    found = measured(subscription).metrics
    # bought for 6003 + 6.003, sold for 6100 - 6.1
    profit = 6_100 - 6.1 - 6_003 - 6.003
    assert found["total_return_percent"] == pytest.approx(-8.2)
    assert found["max_drawdown_percent"] == pytest.approx(10)
    assert found["buy_and_hold_percent"] == pytest.approx(500 / 60_000 * 100)
    assert found["trades"] == measured(subscription).trades == 1
    assert found["best_trade_percent"] == pytest.approx(profit / 6_003 * 100)
    assert found["fees"] == pytest.approx(12.103)
    assert found["sharpe"] is None
    assert found["win_rate_percent"] is None
    assert found["exposure_percent"] is None


def test_execution_counts_what_came_of_cycles(subscription: Subscription) -> None:
    measure_all(NOW)

    found = measured(subscription).execution
    assert found["fees"] == pytest.approx(12.103)
    assert found["skips"] == {"stale_candle": 1, "no_position": 1}
    assert found["verdicts"] == {"OK": 3}
    assert found["latency_seconds"] == {"count": 2, "median": None, "p95": None}


def test_medians_come_with_five_orders(subscription: Subscription) -> None:
    for number in range(3):
        cycle = cycle_at(subscription, 48 + number, 9_000, 60_000)
        fill_of(cycle, "BUY", 60_060, "6")

    measure_all(NOW)

    found = measured(subscription).execution
    assert found["latency_seconds"]["median"] == pytest.approx(3)
    # 0.05, 0 and three times 0.1 % worse
    assert found["slippage_percent"]["median"] == pytest.approx(0.1)
    assert found["slippage_percent"]["p95"] is None


def test_what_was_measured_before_is_carried_on(subscription: Subscription) -> None:
    measure_all(NOW)
    Cycle.objects.update(equity=1)  # what was read is not read again
    fill_of(cycle_at(subscription, 36, 9_300, 60_600), "BUY", 60_600, "6")
    fill_of(cycle_at(subscription, 60, 9_400, 61_600, skip="no_position"), "SELL", 61_600, "6")

    assert measure_all(NOW + HOUR) == 1

    found = measured(subscription)
    assert found.daily["equity"] == [10_000, 10_200, 9_300, 9_400]
    assert found.execution["skips"] == {"no_position": 2, "stale_candle": 1}
    assert found.execution["verdicts"] == {"OK": 5}
    assert found.trades == 2
    assert SubscriptionPerformance.objects.count() == 1


def test_a_cycle_that_found_no_price_is_counted_once(subscription: Subscription) -> None:
    cycle_at(subscription, 31, None, 60_000, verdict="", skip="stale_candle")
    measure_all(NOW)
    cycle_at(subscription, 32, 9_200, 60_000)

    measure_all(NOW)

    found = measured(subscription).execution
    assert found["skips"] == {"stale_candle": 2, "no_position": 1}
    assert found["verdicts"] == {"OK": 4}


def test_in_steps_or_at_once_comes_to_the_same(subscription: Subscription) -> None:
    measure_all(NOW)
    for hours, equity in ((31, 9_200), (47, 9_250), (48, 9_900), (200, 10_500)):
        cycle_at(subscription, hours, equity, 60_000 + hours)
        measure_all(NOW)
    in_steps = measured(subscription)

    SubscriptionPerformance.objects.all().delete()
    measure_all(NOW)

    at_once = measured(subscription)
    for name in ("metrics", "daily", "trades", "execution", "measured_until"):
        assert getattr(at_once, name) == getattr(in_steps, name)


def test_who_has_decided_nothing_new_is_left_alone(subscription: Subscription) -> None:
    make_subscription()
    measure_all(NOW)

    assert measure_all(NOW + HOUR) == 0
    assert measured(subscription).measured_at == NOW


def test_fees_in_base_count_in_quote(bob: User) -> None:
    found = make_subscription(bob, timeframe="1h")
    cycle = cycle_at(found, 1, 10_000, 60_000)
    fill_of(cycle, "BUY", 60_000, "0.0001")
    Order.objects.get().fills.update(fee_currency="BTC")
    cycle = cycle_at(found, 2, 10_000, 60_000)
    fill_of(cycle, "SELL", 60_000, "0")
    Order.objects.filter(side="SELL").get().fills.update(amount="0.0999")
    position_of(found)

    measure_all(NOW)

    assert measured(found).metrics["fees"] == pytest.approx(6)


def test_fills_that_do_not_fit_hinder_nobody_else(subscription: Subscription) -> None:
    broken = make_subscription(timeframe="1h")
    fill_of(cycle_at(broken, 1, 10_000, 60_000), "SELL", 60_000, "6")
    position_of(broken)

    measure_all(NOW)

    assert list(SubscriptionPerformance.objects.values_list("subscription", flat=True)) == [subscription.pk]


def test_what_bots_printed_is_not_read(subscription: Subscription) -> None:
    with CaptureQueriesContext(connection) as captured:
        tasks.measure_performance()

    assert not [query["sql"] for query in captured if '"log"' in query["sql"]]


def test_many_are_measured_by_as_many_queries_as_one(subscription: Subscription) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            tasks.measure_performance()
        return len(captured)

    one = queries()
    bot, market = make_bot(), make_market()
    for _ in range(4):
        other = make_subscription(bot=bot, market=market, timeframe="1h")
        position_of(other)
        fill_of(cycle_at(other, 9, 10_000, 60_000), "BUY", 60_000, "6")
    assert queries() == one
    assert SubscriptionPerformance.objects.count() == 5


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def page_of(browser: Client, subscription: Subscription) -> str:
    return browser.get(subscription.get_absolute_url()).content.decode()


def test_the_page_says_that_nothing_was_measured_yet(
    bobs_browser: Client, subscription: Subscription
) -> None:
    assert "Not measured yet" in page_of(bobs_browser, subscription)


def test_the_page_shows_what_was_measured_and_why_some_has_no_value(
    bobs_browser: Client, subscription: Subscription
) -> None:
    measure_all(NOW)

    html = page_of(bobs_browser, subscription)

    assert "Not measured yet" not in html
    assert CONVENTION in html
    assert re.search(r"Total return.*?-?.8\.20\N{NARROW NO-BREAK SPACE}%", html, re.DOTALL)
    assert 'title="It takes 60 days, and these are 2.">n/a<' in html
    assert 'title="It takes 10 closed trades, and these are 1.">n/a<' in html
    assert "n/a (of 2; from 5 on)" in html
    assert "OK 3" in html
