import html
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from celery import Celery
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from bot_sdk.ledger import apply_fill
from bot_sdk.parameters import Parameter
from bots.models import BotVersion
from execution.models import GUARD, Cycle, Fill, Order, Position
from execution.progress import CYCLES_AT_ONCE
from marketplace import celery_app
from subscriptions.models import Subscription, TradingState
from subscriptions.switches import set_trader_state
from tests.factories import (
    NOON,
    make_bot,
    make_candles,
    make_cycle,
    make_exchange_account,
    make_fill,
    make_order,
    make_subscription,
    trader_of,
)

ATTACK = "<script>alert('gotcha')</script>"


@pytest.fixture
def subscription(bob: User) -> Subscription:
    """Bob's, on BTC/USDT 1m with 10,000 USDT."""
    bot = make_bot(name="Steady", parameters=[Parameter("period", "integer", 14, "Look back")])
    return make_subscription(bob, bot=bot, strategy_config={"period": 21})


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def text(browser: Client, url: str, **query: Any) -> str:
    answer = browser.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


def url_of(subscription: Subscription, part: str = "") -> str:
    return subscription.get_absolute_url() + part


def buy(subscription: Subscription, amount: str = "0.01", age: int = 0) -> Fill:
    """A cycle whose BUY was filled at 60,000, with the position that it leaves."""
    cycle = make_cycle(subscription, action="BUY", signal_action="BUY", reason="RSI oversold", age=age)
    fill = make_fill(make_order(cycle, amount=Decimal(amount)))
    position, _ = Position.objects.get_or_create(
        subscription=subscription, defaults={"quote_balance": subscription.allocated_capital}
    )
    holding = apply_fill(position.holding, "BUY", fill.amount, fill.price, fill.fee)
    for name in ("quote_balance", "base_amount", "cost_basis", "realized_pnl", "fees_paid"):
        setattr(position, name, getattr(holding, name))
    position.save()
    return fill


def seen(browser: Client, subscription: Subscription) -> str:
    return str(browser.get(url_of(subscription)).context["token"])


def test_a_new_subscription_says_when_it_runs_and_what_is_in_force(
    bobs_browser: Client, subscription: Subscription
) -> None:
    with time_machine.travel(NOON + timedelta(seconds=20), tick=False):
        page = text(bobs_browser, url_of(subscription))

    assert 'datetime="2026-03-02T12:01:00Z"' in page
    assert "No cycle yet" in page
    assert "No candle of this market is stored yet" in page
    assert "Look back</dt><dd>21</dd>" in page
    assert "10\N{NARROW NO-BREAK SPACE}% of the allocated capital" in page
    assert "5\N{NARROW NO-BREAK SPACE}% below the average entry" in page
    assert "Orders</dt><dd>market orders</dd>" in page


def rows_of_limits(page: str) -> dict[str, tuple[str, str]]:
    """Of each limit its value in words and who set it, as a reader sees them."""
    table = page.partition('id="limits"')[2].partition("</tbody>")[0].partition("<tbody>")[2]
    cells = [
        " ".join(html.unescape(re.sub("<[^>]+>", "", cell)).split())
        for cell in re.findall(r"<t[hd][ >].*?</t[hd]>", table, re.DOTALL)
    ]
    return {name: (value, source) for name, value, source in zip(*[iter(cells)] * 3, strict=True)}


def test_each_limit_in_force_is_shown_with_who_set_it(
    bobs_browser: Client, bob: User, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal("12.5"), "max_orders_per_day": 200}
    bot = make_bot(risk_defaults={"stop_loss_percent": 5, "take_profit_percent": 8})
    chosen = {"stop_loss_percent": 5.0, "max_position_size": 20.0, "cool_down_minutes": 30}

    page = text(bobs_browser, url_of(make_subscription(bob, bot=bot, risk_config=chosen)))

    assert rows_of_limits(page) == {
        "Stop loss": ("5 % below the average entry", "the developer's default"),
        "Trailing stop": ("off", "nobody"),
        "Take profit": ("off", "you"),
        "Largest position": (
            "12.5 % of the allocated capital",
            "the platform · your choice: 20 % of the allocated capital",
        ),
        "Largest loss per day": ("off", "nobody"),
        "Largest drawdown": ("off", "nobody"),
        "Cool-down": ("30 min after a sale at a loss", "you"),
        "Orders per day": ("200 at most", "the platform · your choice: off"),
    }


def test_the_limits_table_has_headings_for_those_who_hear_it(
    bobs_browser: Client, subscription: Subscription
) -> None:
    page = text(bobs_browser, url_of(subscription))

    section = page.partition('id="limits"')[2].partition("</section>")[0]
    assert section.count('<th scope="col">') == 3
    assert section.count('<th scope="row">') == 8
    assert 'aria-labelledby="limits-title"' in section
    assert "style=" not in section


def test_the_figures_value_the_position_at_the_newest_closed_candle(
    bobs_browser: Client, subscription: Subscription
) -> None:
    buy(subscription)  # 600 USDT and a fee of 0.60
    make_candles(subscription.market, count=1, close=Decimal(61_000))

    valuation = bobs_browser.get(url_of(subscription)).context["valuation"]

    assert valuation.equity == Decimal("10009.4")
    assert valuation.result == Decimal("9.4")
    assert valuation.result_percent == Decimal("0.09")
    assert valuation.position_value == Decimal(610)
    assert valuation.unrealized_pnl == Decimal("9.4")


def test_a_position_without_a_price_has_no_equity_to_show(
    bobs_browser: Client, subscription: Subscription
) -> None:
    buy(subscription)

    assert bobs_browser.get(url_of(subscription)).context["valuation"].equity is None


def test_a_filled_order_shows_in_the_cycle_and_among_the_orders(
    bobs_browser: Client, subscription: Subscription
) -> None:
    buy(subscription)

    page = text(bobs_browser, url_of(subscription))

    assert "Bought 0.01 BTC." in page
    assert "RSI oversold" in page
    assert "Filled" in page
    assert bobs_browser.get(url_of(subscription)).context["orders"][0].price == 60_000


@pytest.mark.parametrize(
    ("cycle", "words"),
    [
        ({"skip": "no_position", "action": "SELL"}, "The bot wanted to sell, but nothing is held."),
        ({"skip": "stale_candle", "signal_action": "BUY"}, "came too late after the candle"),
        ({"state": "RUNNING", "verdict": "", "action": "", "signal_action": ""}, "Being decided now."),
        ({"state": "INTERRUPTED", "verdict": "", "action": ""}, "Interrupted"),
        ({"verdict": "TIMED_OUT", "action": "", "skip": "bot_failed"}, "Too slow"),
        ({"skip": "a_code_of_tomorrow"}, "a_code_of_tomorrow"),
    ],
)
def test_a_cycle_says_in_words_what_came_of_it(
    bobs_browser: Client, subscription: Subscription, cycle: dict[str, Any], words: str
) -> None:
    make_cycle(subscription, **cycle)

    assert words in text(bobs_browser, url_of(subscription))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Order.State.REJECTED, "The exchange refused to buy 0.01 BTC."),
        (Order.State.NOT_SENT, "The order to buy 0.01 BTC was not sent."),
        (Order.State.UNKNOWN, "has no definite answer yet"),
        (Order.State.SENDING, "is on its way"),
    ],
)
def test_an_order_without_a_fill_says_where_it_stands(
    bobs_browser: Client, subscription: Subscription, state: Order.State, words: str
) -> None:
    make_order(make_cycle(subscription, action="BUY", signal_action="BUY"), state=state)

    assert words in text(bobs_browser, url_of(subscription))


def test_who_stops_it_reads_where_the_rest_stays(bobs_browser: Client, bob: User) -> None:
    at_exchange = make_subscription(bob, account=make_exchange_account(bob, label="Savings"))
    buy(at_exchange)

    page = bobs_browser.get(at_exchange.get_absolute_url()).content.decode()

    assert "Stopping ends this subscription for good, and cancels its open orders." in page
    assert "You can keep that on Savings, where it is not watched any more" in page


def test_a_stop_loss_is_named_with_its_reason(bobs_browser: Client, subscription: Subscription) -> None:
    cycle = make_cycle(
        subscription, signal_action="SELL", signal_source="stop_loss", signal_reason="6.0 % below"
    )
    make_order(cycle, side="SELL")

    page = text(bobs_browser, url_of(subscription))

    assert "Stop loss: Sold 0.01 BTC." in page
    assert "6.0 % below" in page


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("stop_loss", "stop loss"),
        ("trailing_stop", "trailing stop"),
        ("take_profit", "take profit"),
        ("max_drawdown", "drawdown limit"),
    ],
)
def test_a_cycles_page_names_the_rule_that_sold(
    bobs_browser: Client, subscription: Subscription, source: str, name: str
) -> None:
    cycle = make_cycle(subscription, signal_action="SELL", signal_source=source)

    assert f"<dd>Sell, by your {name}</dd>" in text(bobs_browser, cycle.get_absolute_url())


def test_what_a_bot_says_stays_text(bobs_browser: Client, subscription: Subscription) -> None:
    hostile = {"reason": ATTACK, "signal_reason": ATTACK + "!", "message": ATTACK, "log": ATTACK}
    cycle = make_cycle(subscription, **hostile)

    pages = [
        text(bobs_browser, url) for url in (url_of(subscription), cycle.get_absolute_url(), "/dashboard/")
    ]

    assert all(ATTACK not in page for page in pages)
    assert pages[1].count("&lt;script&gt;alert(&#x27;gotcha&#x27;)&lt;/script&gt;") == 4


def test_a_cycles_page_explains_the_verdict_and_shows_the_log(
    bobs_browser: Client, subscription: Subscription
) -> None:
    failed = {
        "verdict": "OUT_OF_MEMORY",
        "action": "",
        "skip": "bot_failed",
        "message": "512 MB were not enough",
    }
    run = {"log": "loading\nmodel", "bot_seconds": 1.25, "bot_cpu_seconds": 0.5, "bot_peak_memory_mb": 511.6}
    cycle = make_cycle(subscription, **failed, **run)

    page = text(bobs_browser, cycle.get_absolute_url())

    assert "The bot asked for more memory than it may use and was ended." in page
    assert "512 MB were not enough" in page
    assert "loading\nmodel</pre>" in page
    assert all(figure in page for figure in ("1.250 s", "0.500 s", "512 MB"))


def test_a_cycles_page_shows_its_order_and_fills(bobs_browser: Client, subscription: Subscription) -> None:
    fill = buy(subscription)
    assert fill.order.cycle is not None

    page = text(bobs_browser, fill.order.cycle.get_absolute_url())

    assert str(fill.order.client_order_id) in page
    assert "0.01\N{NO-BREAK SPACE}BTC at 60\N{NARROW NO-BREAK SPACE}000.00" in page


def test_another_subscriptions_cycle_is_not_found_under_this_one(
    bobs_browser: Client, bob: User, subscription: Subscription
) -> None:
    other = make_cycle(make_subscription(bob))

    assert bobs_browser.get(f"{url_of(subscription)}cycles/{other.pk}/").status_code == 404


def test_many_cycles_come_in_pages(bobs_browser: Client, subscription: Subscription) -> None:
    for age in range(30):
        make_cycle(subscription, age=age, reason=f"age {age}.")

    first, last = (text(bobs_browser, url_of(subscription), page=page) for page in (1, 3))

    assert "age 0." in first and "age 29." not in first
    assert "age 29." in last and "age 0." not in last
    assert "age 0." in text(bobs_browser, url_of(subscription), page="\0nonsense")


def test_candles_that_nobody_decided_are_told_where_they_lie(
    bobs_browser: Client, subscription: Subscription
) -> None:
    ages = [0, *range(2, CYCLES_AT_ONCE + 1), CYCLES_AT_ONCE + 4]  # the last one is alone on its page
    for age in ages:
        make_cycle(subscription, age=age)

    first, last = (text(bobs_browser, url_of(subscription), page=page) for page in (1, 2))

    assert first.count("not decided here") == 2
    assert "1 candle was not decided here" in first and "3 candles were not decided here" in first
    assert "not decided here" not in last


def test_a_position_that_nobody_watches_any_more_is_news(
    bobs_browser: Client, subscription: Subscription
) -> None:
    buy(subscription)
    Position.objects.update(watched_at=timezone.now())
    before = seen(bobs_browser, subscription)

    two_minutes_ago = timezone.now() - timedelta(minutes=2)
    Position.objects.update(watched_at=two_minutes_ago)
    Subscription.objects.update(changed_at=two_minutes_ago)

    news = bobs_browser.get(url_of(subscription, "live/"), {"seen": before})
    assert "have not been watched for a minute" in news.content.decode()


def test_that_trading_is_halted_is_news(bobs_browser: Client, bob: User, subscription: Subscription) -> None:
    before = seen(bobs_browser, subscription)
    set_trader_state(trader=bob, state=TradingState.HALTED)

    news = bobs_browser.get(url_of(subscription, "live/"), {"seen": before})

    assert "no order goes out, and no stop acts" in news.content.decode()


def test_the_live_part_is_silent_until_something_changes(
    bobs_browser: Client, subscription: Subscription
) -> None:
    cycle = make_cycle(subscription, state="RUNNING", verdict="", action="")
    before = seen(bobs_browser, subscription)

    quiet = bobs_browser.get(url_of(subscription, "live/"), {"seen": before})
    Cycle.objects.filter(pk=cycle.pk).update(state="DONE", verdict="OK", action="HOLD", reason="calm now")
    news = bobs_browser.get(url_of(subscription, "live/"), {"seen": before})

    assert (quiet.status_code, quiet.content) == (204, b"")
    assert "calm now" in news.content.decode()
    assert "<html" not in news.content.decode()


def make_stop(subscription: Subscription) -> Order:
    """One that rests at the exchange and belongs to no cycle."""
    return Order.objects.create(
        subscription=subscription,
        client_order_id=uuid.uuid4(),
        leg=GUARD,
        moment_at=NOON,
        side="SELL",
        amount=1,
        state=Order.State.OPEN,
    )


@pytest.mark.parametrize("change", ["cycle", "order", "stop", "fill", "candle", "state", "version"])
def test_every_change_is_news(bobs_browser: Client, subscription: Subscription, change: str) -> None:
    order = make_order(make_cycle(subscription, age=1), state=Order.State.SENDING)
    before = seen(bobs_browser, subscription)

    changes: dict[str, Callable[[], object]] = {
        "cycle": lambda: make_cycle(subscription),
        "order": lambda: Order.objects.filter(pk=order.pk).update(state=Order.State.FILLED),
        "stop": lambda: make_stop(subscription),
        "fill": lambda: buy(subscription),
        "candle": lambda: make_candles(subscription.market, count=1),
        "state": lambda: Subscription.objects.update(state="PAUSED"),
        "version": lambda: BotVersion.objects.update(state=BotVersion.State.PULLED),
    }
    changes[change]()

    answer = bobs_browser.get(url_of(subscription, "live/"), {"seen": before})
    assert answer.status_code == 200
    assert before not in answer.content.decode()


def test_the_page_polls_until_the_subscription_is_stopped(
    bobs_browser: Client, subscription: Subscription
) -> None:
    polling = text(bobs_browser, url_of(subscription))
    Subscription.objects.update(state="STOPPED")

    assert 'hx-trigger="every' in polling
    assert 'hx-trigger="every' not in text(bobs_browser, url_of(subscription))


def test_asking_for_news_costs_few_queries(
    bobs_browser: Client, subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    buy(subscription)
    before = seen(bobs_browser, subscription)

    # session, person, subscription, newest price, switches, newest cycles, newest orders, open orders
    with django_assert_num_queries(8):
        bobs_browser.get(url_of(subscription, "live/"), {"seen": before})


def test_a_poll_after_the_session_ended_reloads_the_page(client: Client, subscription: Subscription) -> None:
    answer = client.get(url_of(subscription, "live/"), headers={"HX-Request": "true"})

    assert answer.headers["HX-Refresh"] == "true"


def test_the_chart_has_candles_fills_and_equity_on_one_axis(
    bobs_browser: Client, subscription: Subscription
) -> None:
    candles = make_candles(subscription.market, count=3)
    times = [int(candle.opened_at.timestamp()) for candle in candles]
    buy(subscription, age=1)
    make_cycle(subscription, equity=None, age=40)

    data = bobs_browser.get(url_of(subscription, "chart.json")).json()

    assert data["candles"][0] == [times[0], 60_000.0, 60_002.0, 59_999.0, 60_001.0, 1.5]
    assert [candle[0] for candle in data["candles"]] == times
    assert data["markers"] == [[times[1], "BUY", 60_000.0, 0.01]]
    assert data["equity"] == [[times[1], 10_000.0]]
    assert data["price_tick"] == 0.01


def test_the_chart_of_a_new_subscription_is_empty(bobs_browser: Client, subscription: Subscription) -> None:
    data = bobs_browser.get(url_of(subscription, "chart.json")).json()

    assert (data["candles"], data["markers"], data["equity"]) == ([], [], [])


def test_an_unchanged_chart_is_not_sent_again(
    bobs_browser: Client, subscription: Subscription, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_candles(subscription.market, count=250)
    buy(subscription)
    url = url_of(subscription, "chart.json")

    with django_assert_num_queries(6):  # session, person, subscription, candles, fills, equity
        first = bobs_browser.get(url)
    again = bobs_browser.get(url, headers={"If-None-Match": first.headers["ETag"]})

    assert len(first.json()["candles"]) == 200
    assert again.status_code == 304


@pytest.mark.parametrize("cycles", [1, 25])
def test_the_page_takes_as_many_queries_with_many_cycles(
    bobs_browser: Client,
    subscription: Subscription,
    django_assert_num_queries: DjangoAssertNumQueries,
    cycles: int,
) -> None:
    for age in range(cycles):
        buy(subscription, "0.001", age=age)

    with django_assert_num_queries(16):
        bobs_browser.get(url_of(subscription))


@pytest.mark.parametrize("part", ["", "live/", "chart.json", "cycles/{cycle}/"])
def test_pages_are_for_the_owner(
    client: Client, charlie: User, subscription: Subscription, part: str
) -> None:
    url = url_of(subscription, part.format(cycle=make_cycle(subscription).pk))

    assert client.get(url).headers["Location"] == f"/accounts/login/?next={url}"
    client.force_login(charlie)
    assert client.get(url).status_code == 404


def test_a_number_beyond_the_database_is_not_found(bobs_browser: Client, subscription: Subscription) -> None:
    huge = "9" * 30

    assert bobs_browser.get(f"/subscriptions/{huge}/").status_code == 404
    assert bobs_browser.get(f"{url_of(subscription)}cycles/{huge}/").status_code == 404
    assert bobs_browser.post(f"/subscriptions/{huge}/pause/").status_code == 404


def queued() -> int:
    with celery_app.connection_for_read() as connection:
        return int(connection.default_channel.client.llen("celery"))


@pytest.fixture
def empty_queue(fresh: None) -> None:
    celery_app.control.purge()


def test_run_now_queues_the_newest_candle(
    bobs_browser: Client, subscription: Subscription, empty_queue: None
) -> None:
    page = bobs_browser.post(url_of(subscription, "run/"), follow=True)

    assert "The bot runs now." in page.content.decode()
    assert queued() == 1


def test_run_now_says_when_the_newest_candle_is_decided_already(
    bobs_browser: Client, subscription: Subscription, empty_queue: None
) -> None:
    with time_machine.travel(NOON + timedelta(minutes=5, seconds=20), tick=False):
        bobs_browser.force_login(trader_of(subscription))
        make_cycle(subscription)
        page = bobs_browser.post(url_of(subscription, "run/"), follow=True).content.decode()

    assert (
        "The candle that closed at 2026-03-02 12:05 UTC is already decided; the next run is at 12:06 UTC."
        in page
    )
    assert queued() == 0


def test_run_now_says_when_the_newest_candle_is_too_old(
    bobs_browser: Client, subscription: Subscription
) -> None:
    celery_app.control.purge()
    with time_machine.travel(NOON + timedelta(minutes=5, seconds=30), tick=False):
        bobs_browser.force_login(trader_of(subscription))
        page = bobs_browser.post(url_of(subscription, "run/"), follow=True).content.decode()

    assert (
        "The candle that closed at 2026-03-02 12:05 UTC is too old to trade on; the next run is at 12:06 UTC."
        in page
    )
    assert queued() == 0


def test_run_now_does_nothing_while_paused(
    bobs_browser: Client, subscription: Subscription, empty_queue: None
) -> None:
    Subscription.objects.update(state="PAUSED")

    page = bobs_browser.post(url_of(subscription, "run/"), follow=True).content.decode()

    assert "does not run now" in page
    assert queued() == 0


@pytest.fixture
def broker_is_down(fresh: None) -> Iterator[None]:
    Celery(broker="redis://127.0.0.1:1/0", set_as_current=True)
    yield
    celery_app.set_current()


def test_run_now_says_when_the_broker_is_down(
    bobs_browser: Client, subscription: Subscription, broker_is_down: None
) -> None:
    page = bobs_browser.post(url_of(subscription, "run/"), follow=True).content.decode()

    assert "could not be queued" in page


def test_run_now_is_for_the_owner_and_for_posts(
    client: Client, charlie: User, bob: User, subscription: Subscription
) -> None:
    client.force_login(charlie)
    assert client.post(url_of(subscription, "run/")).status_code == 404
    client.force_login(bob)
    assert client.get(url_of(subscription, "run/")).status_code == 405


def test_a_quarantined_version_is_explained_and_cannot_be_run(
    bobs_browser: Client, subscription: Subscription
) -> None:
    assert "Run now" in bobs_browser.get(subscription.get_absolute_url()).text
    BotVersion.objects.update(state=BotVersion.State.QUARANTINED, state_reason="Three strikes <b>in a day")

    page = bobs_browser.get(subscription.get_absolute_url()).text

    assert "v1.0.0 is in quarantine and is not run until staff release it" in page
    assert "Three strikes &lt;b&gt;in a day" in page
    assert "Your stops are checked next" in page
    assert "Run now" not in page
