from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from bot_sdk.parameters import Parameter
from bots.models import Bot
from bots.publishing import publish_version
from subscriptions.forms import RISK_FIELDS
from subscriptions.models import Subscription
from tests.factories import make_bot, make_market, make_subscription

PARAMETERS = [
    Parameter("period", "integer", 14, "Period", 2, 100, (), "Candles to look back."),
    Parameter("factor", "number", 1.5, "Factor", 0.5, 4),
    Parameter("shift", "integer", 0, "Shift"),
    Parameter("is_bold", "boolean", False, "Bold"),
    Parameter("mode", "choice", "calm", "Mode", choices=("calm", "wild")),
]
DEFAULTS = {"period": 14, "factor": 1.5, "shift": 0, "is_bold": False, "mode": "calm"}
CHOSEN = {"period": 21, "factor": 2.5, "shift": -3, "is_bold": True, "mode": "wild"}
CHOICES = {
    "exchange_type": "BINANCE",
    "trading_pair": "BTC/USDT",
    "timeframe": "1m",
    "strategy-period": "21",
    "strategy-factor": "2.5",
    "strategy-shift": "-3",
    "strategy-is_bold": "on",
    "strategy-mode": "wild",
    "allocated_capital": "2500.50",
    "buy_order_type": "PERCENTAGE",
    "buy_order_value": "12.5",
    "sell_order_type": "ALL",
    "sell_order_value": "",
    "order_type": "MARKET",
    "limit_offset_percent": "",
    "limit_timeout_seconds": "",
    "limit_timeout_action": "",
    "stop_loss_percent": "5",
    "trailing_stop_percent": "",
    "take_profit_percent": "",
    "max_position_size": "20",
    "max_daily_loss_percent": "",
    "max_drawdown_percent": "",
    "cool_down_minutes": "",
    "max_orders_per_day": "",
}
LIMIT_ORDERS = {
    "order_type": "LIMIT",
    "limit_offset_percent": "0.25",
    "limit_timeout_seconds": "120",
    "limit_timeout_action": "MARKET",
}
MORE_LIMITS = {
    "trailing_stop_percent": "7.5",
    "max_daily_loss_percent": "3",
    "max_drawdown_percent": "25",
    "cool_down_minutes": "30",
    "max_orders_per_day": "12",
}


@pytest.fixture
def bot(db: None) -> Bot:
    make_market()
    make_market(trading_pair="ETH/USDT")
    return make_bot(name="Steady", slug="steady", parameters=PARAMETERS)


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def post(browser: Client, **changes: Any) -> Any:
    return browser.post("/bots/steady/subscribe/", CHOICES | changes)


def test_the_form_shows_the_bots_parameters_with_range_default_and_help(
    bot: Bot, bobs_browser: Client
) -> None:
    page = bobs_browser.get("/bots/steady/subscribe/").content.decode()

    assert 'name="strategy-period"' in page
    assert "Candles to look back. From 2 to 100; default 14." in page
    assert "Default off." in page
    assert "Paper account" in page


@pytest.mark.parametrize(("is_demo", "timeframe"), [(True, "1m"), (False, "1h")])
def test_the_form_begins_with_sane_defaults(
    bot: Bot, bobs_browser: Client, settings: Settings, is_demo: bool, timeframe: str
) -> None:
    settings.DEMO = is_demo

    form = bobs_browser.get("/bots/steady/subscribe/").context["form"]

    begins_with = {name: form[name].value() for name in form.fields}
    assert begins_with["exchange_type"] == "BINANCE"
    assert begins_with["trading_pair"] == "BTC/USDT"
    assert begins_with["timeframe"] == timeframe
    assert begins_with["allocated_capital"] == 10_000
    assert [
        begins_with[name] for name in ("stop_loss_percent", "take_profit_percent", "max_position_size")
    ] == [
        5,
        10,
        20,
    ]


def test_the_form_begins_with_what_the_developer_proposes(bobs_browser: Client, bot: Bot) -> None:
    publish_version(
        bot=bot, number="v1.1.0", code="", risk_defaults={"stop_loss_percent": 2.5, "cool_down_minutes": 45}
    )

    answer = bobs_browser.get("/bots/steady/subscribe/")

    form = answer.context["form"]
    begins_with = {name: form[name].value() for name in RISK_FIELDS if form[name].value()}
    assert begins_with == {"stop_loss_percent": "2.5", "cool_down_minutes": "45"}
    assert "what the bot's developer proposes" in answer.content.decode()


def test_a_limit_says_what_the_platform_allows(bot: Bot, bobs_browser: Client, settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal("12.50"), "cool_down_minutes": 10}

    form = bobs_browser.get("/bots/steady/subscribe/").context["form"]

    said = {name: form[name].help_text for name in RISK_FIELDS}
    assert said["max_position_size"].endswith(
        "The platform's limit is 12.5: it holds when this is larger or empty."
    )
    assert said["cool_down_minutes"].endswith(
        "The platform's limit is 10: it holds when this is smaller or empty."
    )
    assert said["stop_loss_percent"].endswith(" Empty switches it off.")


def test_a_choice_weaker_than_the_platforms_limit_is_kept_but_does_not_hold(
    bot: Bot, bobs_browser: Client, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(10)}

    assert post(bobs_browser, max_position_size="20").status_code == 302

    subscription = Subscription.objects.get()
    assert subscription.risk_config["max_position_size"] == 20
    assert subscription.risk.max_position_size == 10


def test_the_untouched_form_starts_a_subscription(bot: Bot, bobs_browser: Client, bob: User) -> None:
    form = bobs_browser.get("/bots/steady/subscribe/").context["form"]
    values = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in values.items() if value is not None and value is not False}
    answer = bobs_browser.post("/bots/steady/subscribe/", sent)

    subscription = Subscription.objects.get(trader=bob)
    assert answer.headers["Location"] == subscription.get_absolute_url()
    assert subscription.strategy_config == DEFAULTS


def test_a_complete_form_starts_a_subscription_with_what_was_chosen(
    bot: Bot, bobs_browser: Client, bob: User
) -> None:
    answer = post(bobs_browser)

    subscription = Subscription.objects.get(trader=bob)
    assert answer.headers["Location"] == subscription.get_absolute_url()
    assert subscription.strategy_config == CHOSEN
    assert str(subscription.allocated_capital) == "2500.500000000000000000"
    assert subscription.execution_config == {
        "buy_order_type": "PERCENTAGE",
        "buy_order_value": 12.5,
        "sell_order_type": "ALL",
    }
    assert subscription.risk_config == {"stop_loss_percent": 5.0, "max_position_size": 20.0}


def test_limit_orders_and_more_limits_may_be_chosen_and_show_as_settings_in_force(
    bot: Bot, bobs_browser: Client
) -> None:
    answer = post(bobs_browser, **LIMIT_ORDERS, **MORE_LIMITS)

    subscription = Subscription.objects.get()
    assert subscription.execution_config == {
        "buy_order_type": "PERCENTAGE",
        "buy_order_value": 12.5,
        "sell_order_type": "ALL",
        "order_type": "LIMIT",
        "limit_offset_percent": 0.25,
        "limit_timeout_seconds": 120,
        "limit_timeout_action": "MARKET",
    }
    assert subscription.risk_config == {
        "stop_loss_percent": 5.0,
        "trailing_stop_percent": 7.5,
        "max_position_size": 20.0,
        "max_daily_loss_percent": 3.0,
        "max_drawdown_percent": 25.0,
        "cool_down_minutes": 30,
        "max_orders_per_day": 12,
    }
    page = bobs_browser.get(answer.headers["Location"]).content.decode()
    assert "120 seconds, then a market order" in page
    assert "30 min after a sale at a loss" in page
    assert "12 at most" in page


def test_a_limit_order_takes_its_defaults_from_empty_boxes(bot: Bot, bobs_browser: Client) -> None:
    answer = post(bobs_browser, order_type="LIMIT")

    execution = Subscription.objects.get().execution_config
    assert (execution["limit_offset_percent"], execution["limit_timeout_seconds"]) == (0.0, 60)
    assert execution["limit_timeout_action"] == "CANCEL"
    page = bobs_browser.get(answer.headers["Location"]).content.decode()
    assert "limit orders at the bid or the ask" in page
    assert "60 seconds, then canceled" in page


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("limit_offset_percent", "-1"),
        ("limit_offset_percent", "10.1"),
        ("limit_offset_percent", "near"),
        ("limit_timeout_seconds", "9"),
        ("limit_timeout_seconds", "86401"),
        ("limit_timeout_seconds", "60.5"),
        ("limit_timeout_seconds", "9" * 400),
        ("limit_timeout_action", "WAIT"),
        ("limit_timeout_action", "\0"),
    ],
)
def test_a_bad_setting_of_limit_orders_gets_a_message_at_its_field(
    bot: Bot, bobs_browser: Client, field: str, typed: str
) -> None:
    answer = post(bobs_browser, **LIMIT_ORDERS | {field: typed})

    form = answer.context["form"]
    assert (answer.status_code, list(form.errors), form[field].value()) == (200, [field], typed)
    assert not Subscription.objects.exists()


def test_a_pair_may_be_typed_in_lower_case(bot: Bot, bobs_browser: Client) -> None:
    post(bobs_browser, trading_pair=" eth/usdt ")

    assert Subscription.objects.get().market.trading_pair == "ETH/USDT"


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("exchange_type", "FTX"),
        ("exchange_type", ""),
        ("exchange_type", "BINANCE\0"),
        ("trading_pair", "DOGE/XXX"),
        ("trading_pair", ""),
        ("trading_pair", "BTC/USDT\0"),
        ("trading_pair", "B" * 5000),
        ("timeframe", "7m"),
        ("timeframe", "1m\0"),
        ("strategy-period", "1"),
        ("strategy-period", "101"),
        ("strategy-period", "14.5"),
        ("strategy-period", "many"),
        ("strategy-period", ""),
        ("strategy-period", "9" * 40),
        ("strategy-period", "9" * 400),
        ("strategy-period", "9" * 5000),
        ("strategy-shift", "9" * 400),
        ("strategy-factor", "9"),
        ("strategy-factor", "NaN"),
        ("strategy-factor", "1e400"),
        ("strategy-factor", "-Infinity"),
        ("strategy-mode", "reckless"),
        ("strategy-mode", "calm\0"),
        ("allocated_capital", "9.99"),
        ("allocated_capital", "-1"),
        ("allocated_capital", ""),
        ("allocated_capital", "lots"),
        ("allocated_capital", "NaN"),
        ("allocated_capital", "sNaN"),
        ("allocated_capital", "Infinity"),
        ("allocated_capital", "1e400"),
        ("allocated_capital", "1e999999999"),
        ("allocated_capital", "1e-400"),
        ("allocated_capital", "1" * 40),
        ("allocated_capital", "10\0"),
        ("buy_order_type", "HALF"),
        ("buy_order_value", ""),
        ("buy_order_value", "0"),
        ("buy_order_value", "101"),
        ("buy_order_value", "1e400"),
        ("sell_order_type", "\0"),
        ("sell_order_value", "50"),
        ("order_type", "STOP"),
        ("order_type", ""),
        ("limit_offset_percent", "1"),
        ("limit_timeout_seconds", "60"),
        ("limit_timeout_action", "CANCEL"),
        ("trailing_stop_percent", "0"),
        ("max_daily_loss_percent", "101"),
        ("max_drawdown_percent", "-1"),
        ("cool_down_minutes", "0"),
        ("cool_down_minutes", "1.5"),
        ("cool_down_minutes", "9" * 400),
        ("max_orders_per_day", "1001"),
        ("max_orders_per_day", "many"),
        ("stop_loss_percent", "0"),
        ("stop_loss_percent", "100.1"),
        ("stop_loss_percent", "1e-30"),
        ("take_profit_percent", "-5"),
        ("take_profit_percent", "1001"),
        ("max_position_size", "500"),
        ("max_position_size", "much"),
    ],
)
def test_a_bad_value_gets_a_message_at_its_field_and_stays_as_typed(
    bot: Bot, bobs_browser: Client, field: str, typed: str
) -> None:
    answer = post(bobs_browser, **{field: typed})

    form = answer.context["form"]
    assert answer.status_code == 200
    assert list(form.errors) == [field]
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert {name: form.data[name] for name in CHOICES} == CHOICES | {field: typed}
    assert form[field].value() == typed
    assert not Subscription.objects.exists()


def test_every_problem_that_the_rules_find_is_shown_at_once(bot: Bot, bobs_browser: Client) -> None:
    answer = post(
        bobs_browser, trading_pair="DOGE/XXX", stop_loss_percent="500", **{"strategy-period": "700"}
    )

    assert set(answer.context["form"].errors) == {"trading_pair", "stop_loss_percent", "strategy-period"}


def test_an_empty_post_is_answered_with_messages(bot: Bot, bobs_browser: Client) -> None:
    answer = bobs_browser.post("/bots/steady/subscribe/")

    assert answer.status_code == 200
    assert "Enter a trading pair, such as BTC/USDT." in answer.content.decode()


def test_a_bot_that_does_not_take_subscribers_has_no_form(bot: Bot, bobs_browser: Client) -> None:
    Bot.objects.update(state=Bot.State.SUSPENDED)

    assert bobs_browser.get("/bots/steady/subscribe/").status_code == 404
    assert post(bobs_browser).status_code == 404


def test_the_form_asks_a_visitor_to_sign_in(bot: Bot, client: Client) -> None:
    answer = client.get("/bots/steady/subscribe/")

    assert answer.headers["Location"] == "/accounts/login/?next=/bots/steady/subscribe/"


def test_typed_letters_narrow_the_suggested_pairs(bot: Bot, bobs_browser: Client) -> None:
    answer = bobs_browser.get("/subscriptions/pairs/", {"exchange_type": "BINANCE", "trading_pair": "eth"})

    assert answer.content.decode().strip() == '<option value="ETH/USDT"></option>'


@pytest.mark.parametrize(
    "query", [{}, {"exchange_type": "\0"}, {"exchange_type": "BINANCE", "trading_pair": "\0"}]
)
def test_a_senseless_search_suggests_nothing(bot: Bot, bobs_browser: Client, query: dict[str, str]) -> None:
    answer = bobs_browser.get("/subscriptions/pairs/", query)

    assert (answer.status_code, answer.content.strip()) == (200, b"")


def test_the_form_takes_as_many_queries_with_many_markets(
    bot: Bot, bobs_browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        make_market(trading_pair=f"COIN{number}/USDT")

    with django_assert_num_queries(7):  # session, person, bot, version, exchanges, suggested pairs
        page = bobs_browser.get("/bots/steady/subscribe/")

    assert page.content.decode().count('<option value="COIN') < 40


@pytest.mark.parametrize(
    ("before", "deed", "after"),
    [
        ("ACTIVE", "pause", "PAUSED"),
        ("PAUSED", "pause", "PAUSED"),
        ("PAUSED", "resume", "ACTIVE"),
        ("ACTIVE", "stop", "STOPPED"),
        ("PAUSED", "stop", "STOPPED"),
    ],
)
def test_the_owners_buttons_change_the_state(
    bobs_browser: Client, bob: User, before: str, deed: str, after: str
) -> None:
    subscription = make_subscription(bob, state=before)

    answer = bobs_browser.post(f"/subscriptions/{subscription.pk}/{deed}/")

    subscription.refresh_from_db()
    assert answer.headers["Location"] == subscription.get_absolute_url()
    assert subscription.state == after


@pytest.mark.parametrize("deed", ["pause", "resume"])
def test_a_stopped_subscription_says_why_it_stays_stopped(bobs_browser: Client, bob: User, deed: str) -> None:
    subscription = make_subscription(bob, state="STOPPED")

    page = bobs_browser.post(f"/subscriptions/{subscription.pk}/{deed}/", follow=True)

    assert "This subscription is stopped and stays so." in page.content.decode()


@pytest.mark.parametrize("deed", ["pause", "resume", "stop"])
def test_the_buttons_are_for_the_owner_and_for_posts_with_a_token(
    client: Client, bob: User, charlie: User, deed: str
) -> None:
    subscription = make_subscription(bob)
    url = f"/subscriptions/{subscription.pk}/{deed}/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(bob)

    assert client.post(url).headers["Location"].startswith("/accounts/login/")
    client.force_login(charlie)
    assert client.post(url).status_code == 404
    assert strict.post(url).status_code == 403
    assert strict.get(url).status_code == 405
    subscription.refresh_from_db()
    assert subscription.state == "ACTIVE"
