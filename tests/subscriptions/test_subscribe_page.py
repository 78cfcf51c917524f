import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from bot_sdk.parameters import Parameter
from bots.models import Bot
from bots.publishing import publish_version
from exchanges.models import Market
from subscriptions.forms import RISK_FIELDS
from subscriptions.models import Subscription, SubscriptionDraft
from subscriptions.steps import steps_of
from subscriptions.tasks import forget_drafts
from tests.factories import BUYING_BOT, make_bot, make_exchange_account, make_market, make_subscription

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


def address(step: str) -> str:
    return "/bots/steady/subscribe/" if step == "account" else f"/bots/steady/subscribe/{step}/"


def enter(browser: Client, step: str, **changes: Any) -> Any:
    return browser.post(address(step), CHOICES | changes)


def enter_all(browser: Client, **changes: Any) -> Any:
    """Go through the steps up to the review; the answer of the first one that leads nowhere is the last."""
    answer = enter(browser, "account", **changes)
    while answer.status_code == 302 and not answer.headers["Location"].endswith("/review/"):
        answer = browser.post(answer.headers["Location"], CHOICES | changes)
    return answer


def start(browser: Client) -> Any:
    """Press the button of the review."""
    page = browser.get(address("review"))
    if page.status_code != 200:
        return page
    return browser.post(address("review"), {"seen": page.context["place"].seen})


def subscribe_by_page(browser: Client, **changes: Any) -> Any:
    answer = enter_all(browser, **changes)
    return start(browser) if answer.status_code == 302 else answer


def step_of(field: str, bot: Bot) -> str:
    assert bot.current_version
    return next(step.name for step in steps_of(bot.current_version) if field in step.fields)


def test_the_form_shows_the_bots_parameters_with_range_default_and_help(
    bot: Bot, bobs_browser: Client
) -> None:
    page = bobs_browser.get(address("parameters")).content.decode()

    assert 'name="strategy-period"' in page
    assert "Candles to look back. From 2 to 100; default 14." in page
    assert "Default off." in page


def test_paper_comes_first_and_is_chosen(bot: Bot, bobs_browser: Client, bob: User) -> None:
    make_exchange_account(bob, label="A testnet")

    page = bobs_browser.get(address("account")).content.decode()

    [first, second] = re.findall(r'<input [^>]*name="account"[^>]*>', page)
    assert ('value=""' in first, "checked" in first, "checked" in second) == (True, True, False)


@pytest.mark.parametrize(("is_demo", "timeframe"), [(True, "1m"), (False, "1h")])
def test_the_form_begins_with_sane_defaults(
    bot: Bot, bobs_browser: Client, settings: Settings, is_demo: bool, timeframe: str
) -> None:
    settings.DEMO = is_demo

    form = bobs_browser.get(address("account")).context["form"]

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

    answer = bobs_browser.get(address("risk"))

    form = answer.context["form"]
    begins_with = {name: form[name].value() for name in RISK_FIELDS if form[name].value()}
    assert begins_with == {"stop_loss_percent": "2.5", "cool_down_minutes": "45"}
    assert "what the bot's developer proposes" in answer.content.decode()


def test_the_form_begins_with_the_market_that_the_bot_was_made_for(bot: Bot, bobs_browser: Client) -> None:
    Bot.objects.update(trading_pairs=["DOGE/USDT", "ETH/USDT"], timeframes=["4h", "1d"])  # no DOGE is offered

    form = bobs_browser.get(address("market")).context["form"]

    assert (form["trading_pair"].value(), form["timeframe"].value()) == ("ETH/USDT", "4h")


def test_a_limit_says_what_the_platform_allows(bot: Bot, bobs_browser: Client, settings: Settings) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal("12.50"), "cool_down_minutes": 10}

    form = bobs_browser.get(address("account")).context["form"]

    said = {name: form[name].help_text for name in RISK_FIELDS}
    assert said["max_position_size"].endswith(
        "The platform's limit is 12.5: it holds when this is larger or empty."
    )
    assert said["cool_down_minutes"].endswith(
        "The platform's limit is 10: it holds when this is smaller or empty."
    )
    assert said["stop_loss_percent"].endswith("the whole position is sold.")
    risk_step = bobs_browser.get(address("risk")).content.decode()
    assert risk_step.count("left empty is off") == 1  # said once, and not at each of them


def test_a_choice_weaker_than_the_platforms_limit_is_kept_but_does_not_hold(
    bot: Bot, bobs_browser: Client, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(10)}

    assert subscribe_by_page(bobs_browser, max_position_size="20").status_code == 302

    subscription = Subscription.objects.get()
    assert subscription.risk_config["max_position_size"] == 20
    assert subscription.risk.max_position_size == 10


def test_the_proposed_settings_are_started_by_two_buttons(bot: Bot, bobs_browser: Client, bob: User) -> None:
    chosen = bobs_browser.post(address("account"), {"go": "propose"})
    assert chosen.headers["Location"] == address("review")
    answer = start(bobs_browser)

    subscription = Subscription.objects.get(trader=bob)
    assert answer.headers["Location"] == subscription.get_absolute_url()
    assert (subscription.account, subscription.strategy_config) == (None, DEFAULTS)
    assert not SubscriptionDraft.objects.exists()


@pytest.mark.parametrize("is_own", [True, False])
def test_the_proposed_settings_are_for_the_account_that_is_ticked_if_it_is_ones_own(
    bot: Bot, bobs_browser: Client, bob: User, charlie: User, is_own: bool
) -> None:
    account = make_exchange_account(bob if is_own else charlie, label="A testnet")

    bobs_browser.post(address("account"), {"go": "propose", "account": str(account.pk)})

    assert SubscriptionDraft.objects.get().entered == {"account": str(account.pk) if is_own else ""}


def test_a_complete_form_starts_a_subscription_with_what_was_chosen(
    bot: Bot, bobs_browser: Client, bob: User
) -> None:
    answer = subscribe_by_page(bobs_browser)

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
    answer = subscribe_by_page(bobs_browser, **LIMIT_ORDERS, **MORE_LIMITS)

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
    answer = subscribe_by_page(bobs_browser, order_type="LIMIT")

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
    answer = enter(bobs_browser, "capital", **LIMIT_ORDERS | {field: typed})

    form = answer.context["form"]
    assert (answer.status_code, list(form.errors), form[field].value()) == (200, [field], typed)
    assert not Subscription.objects.exists()


def test_a_pair_may_be_typed_in_lower_case(bot: Bot, bobs_browser: Client) -> None:
    subscribe_by_page(bobs_browser, trading_pair=" eth/usdt ")

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
    step = step_of(field, bot)
    answer = enter(bobs_browser, step, **{field: typed})

    form = answer.context["form"]
    assert answer.status_code == 200
    assert list(form.errors) == [field]
    assert f'id="id_{field}_error"' in answer.content.decode()
    shown = {name: form.data[name] for name in CHOICES if step_of(name, bot) == step}
    assert shown == {name: (CHOICES | {field: typed})[name] for name in shown}
    assert form[field].value() == typed
    if "\0" not in typed:  # which the database does not take
        again = bobs_browser.get(address(step)).context["form"]
        assert (again[field].value(), again.errors[field]) == (typed, form.errors[field])


def test_every_problem_of_a_step_is_shown_at_once(bot: Bot, bobs_browser: Client) -> None:
    answer = enter(bobs_browser, "risk", stop_loss_percent="500", cool_down_minutes="0")

    assert set(answer.context["form"].errors) == {"stop_loss_percent", "cool_down_minutes"}


def test_an_empty_post_is_answered_with_messages(bot: Bot, bobs_browser: Client) -> None:
    answer = bobs_browser.post(address("market"))

    assert answer.status_code == 200
    assert "Enter a trading pair, such as BTC/USDT." in answer.content.decode()


def test_a_tick_with_what_the_database_refuses_is_not_kept(bot: Bot, bobs_browser: Client, bob: User) -> None:
    answer = enter(bobs_browser, "parameters", **{"strategy-is_bold": "on\0"})

    assert answer.status_code == 302
    kept = SubscriptionDraft.objects.get(trader=bob, bot=bot).entered
    assert ("strategy-is_bold" in kept, kept["strategy-period"]) == (False, "21")


def test_what_was_entered_is_there_after_a_sign_in_on_another_device(
    bot: Bot, bobs_browser: Client, bob: User
) -> None:
    enter(bobs_browser, "market", trading_pair="ETH/USDT")
    enter(bobs_browser, "risk", stop_loss_percent="7", go="back")

    other = Client()
    other.force_login(bob)
    page = other.get(address("risk"))

    assert page.context["form"]["stop_loss_percent"].value() == "7"
    assert other.get(address("market")).context["form"]["trading_pair"].value() == "ETH/USDT"


def test_going_back_loses_nothing_that_was_typed_and_starts_nothing_with_it(
    bot: Bot, bobs_browser: Client
) -> None:
    assert not bobs_browser.get(address("capital")).context["form"].errors
    back = enter(bobs_browser, "capital", allocated_capital="1,000 or so", go="back")
    assert (back.status_code, back.headers["Location"]) == (302, address("parameters"))

    page = bobs_browser.get(address("capital"))
    assert page.context["form"]["allocated_capital"].value() == "1,000 or so"
    assert 'id="id_allocated_capital_error"' in page.content.decode()
    review = bobs_browser.post(address("review"), {"seen": "x"})
    assert review.headers["Location"] == f"{address('capital')}?then=review"
    assert not Subscription.objects.exists()


def test_a_draft_is_ones_own_and_ends_after_two_weeks(
    bot: Bot, bobs_browser: Client, client: Client, charlie: User
) -> None:
    enter(bobs_browser, "risk", stop_loss_percent="7")
    others = Client()
    others.force_login(charlie)
    assert others.get(address("risk")).context["form"]["stop_loss_percent"].value() != "7"

    with time_machine.travel(timezone.now() + timedelta(days=15)):
        client.force_login(User.objects.get(username="bob"))
        assert client.get(address("risk")).context["form"]["stop_loss_percent"].value() != "7"
        forget_drafts()
    assert not SubscriptionDraft.objects.exists()


def test_a_step_or_all_of_it_begins_again_with_what_is_proposed(bot: Bot, bobs_browser: Client) -> None:
    enter(bobs_browser, "market", trading_pair="ETH/USDT")
    enter(bobs_browser, "risk", stop_loss_percent="7")

    bobs_browser.post(address("risk"), {"go": "reset"})
    entered = SubscriptionDraft.objects.get().entered
    assert ("stop_loss_percent" in entered, entered["trading_pair"]) == (False, "ETH/USDT")

    bobs_browser.post(address("account"), {"go": "anew"})
    assert not SubscriptionDraft.objects.exists()


@pytest.mark.parametrize(
    ("field", "entered", "proposed"),
    [
        ("trading_pair", "ETH/USDT", "BTC/USDT"),
        ("strategy-period", "21", 14),
        ("strategy-is_bold", "on", False),
        ("buy_order_value", "70", 10),
        ("stop_loss_percent", "much", 5),
        ("trailing_stop_percent", "3", None),
    ],
)
def test_one_field_goes_back_to_what_is_proposed_and_nothing_else_is_lost(
    bot: Bot, bobs_browser: Client, field: str, entered: str, proposed: object
) -> None:
    typed = {"timeframe": "4h", "strategy-factor": "nine", "sell_order_value": "x", "cool_down_minutes": "-"}

    answer = enter(bobs_browser, step_of(field, bot), **typed | {field: entered, "reset": field})

    form, shown = answer.context["form"], answer.context["place"].step.fields
    assert (answer.status_code, form[field].value(), form.errors) == (200, proposed, {})
    of_step = {name: text for name, text in typed.items() if name in shown}
    assert of_step
    assert {name: form[name].value() for name in of_step} == of_step
    for name, is_offered in ((field, False), *dict.fromkeys(of_step, True).items()):
        button = re.search(rf'<button[^>]*name="reset" value="{name}"[^>]*>', answer.content.decode())
        assert button
        assert (" hidden" not in button[0]) == is_offered


def test_a_draft_does_not_grow_without_end(bot: Bot, bobs_browser: Client) -> None:
    assert enter(bobs_browser, "parameters", **{"strategy-mode": "x" * 20_000}).status_code == 400
    assert not SubscriptionDraft.objects.exists()


def test_back_leads_to_the_step_before_even_from_what_is_wrong(bot: Bot, bobs_browser: Client) -> None:
    answer = enter(bobs_browser, "risk", stop_loss_percent="much", go="back")

    assert answer.headers["Location"] == address("capital")


def test_the_review_shows_all_and_each_part_leads_to_its_step_and_back(
    bot: Bot, bobs_browser: Client
) -> None:
    enter_all(bobs_browser)
    page = bobs_browser.get(address("review")).content.decode()

    for words in (
        "Paper account",
        "BTC/USDT",
        "Period",
        "21",
        "2\N{NARROW NO-BREAK SPACE}500.50",
        "Stop loss",
    ):
        assert words in page
    assert "You can lose about" in page
    assert f'href="{address("risk")}?then=review"' in page
    changed = bobs_browser.post(address("risk") + "?then=review", CHOICES | {"stop_loss_percent": "7"})
    assert changed.headers["Location"] == address("review")
    assert "7\N{NARROW NO-BREAK SPACE}%" in bobs_browser.get(address("review")).content.decode()


def test_what_has_become_wrong_leads_from_the_review_to_its_step(bot: Bot, bobs_browser: Client) -> None:
    enter_all(bobs_browser)
    seen = bobs_browser.get(address("review")).context["place"].seen
    Market.objects.filter(trading_pair="BTC/USDT").update(is_active=False)

    answer = bobs_browser.post(address("review"), {"seen": seen}, follow=True)

    assert answer.redirect_chain == [(address("market") + "?then=review", 302)]
    assert list(answer.context["form"].errors) == ["trading_pair"]
    assert not Subscription.objects.exists()


def test_one_draft_starts_one_subscription_as_it_was_seen(bot: Bot, bobs_browser: Client) -> None:
    enter_all(bobs_browser)
    seen = bobs_browser.get(address("review")).context["place"].seen
    enter(bobs_browser, "capital", allocated_capital="9000")  # in another window

    refused = bobs_browser.post(address("review"), {"seen": seen})
    assert "changed in another window" in refused.content.decode()
    start(bobs_browser)
    again = bobs_browser.post(address("review"), {"seen": seen})

    assert again.headers["Location"] == "/dashboard/"
    assert Subscription.objects.get().allocated_capital == 9000


def test_what_was_seen_of_a_draft_starts_none_that_was_begun_after_it(bot: Bot, bobs_browser: Client) -> None:
    enter_all(bobs_browser)
    seen = bobs_browser.get(address("review")).context["place"].seen
    enter(bobs_browser, "account", go="anew")
    enter_all(bobs_browser, allocated_capital="9000")

    refused = bobs_browser.post(address("review"), {"seen": seen})

    assert "changed in another window" in refused.content.decode()
    assert not Subscription.objects.exists()


def test_another_version_than_was_seen_is_not_started(bot: Bot, bobs_browser: Client) -> None:
    enter_all(bobs_browser)
    seen = bobs_browser.get(address("review")).context["place"].seen
    publish_version(bot=bot, number="v9.0.0", code=BUYING_BOT)

    refused = bobs_browser.post(address("review"), {"seen": seen})

    assert "another version is offered now" in refused.content.decode()
    assert not Subscription.objects.exists()
    start(bobs_browser)
    assert Subscription.objects.get().version.number == "v9.0.0"


def test_a_bot_without_parameters_has_no_step_for_them(bot: Bot, bobs_browser: Client) -> None:
    make_bot(slug="plain")

    assert bobs_browser.get("/bots/plain/subscribe/parameters/").status_code == 404
    after_market = bobs_browser.post("/bots/plain/subscribe/market/", CHOICES)
    assert after_market.headers["Location"] == "/bots/plain/subscribe/capital/"


def test_what_can_be_lost_follows_what_is_typed(bot: Bot, bobs_browser: Client) -> None:
    enter(bobs_browser, "capital", allocated_capital="1000")
    loss = "/bots/steady/subscribe/loss/"

    typed = bobs_browser.get(loss, {"stop_loss_percent": "50", "max_position_size": "10"})
    wrong = bobs_browser.get(loss, {"stop_loss_percent": "500"})

    assert "about 50.1" in typed.content.decode().replace("\N{NO-BREAK SPACE}", " ")
    assert "once all that is entered can be used" in wrong.content.decode()
    assert "stop_loss_percent" not in SubscriptionDraft.objects.get().entered


def test_a_bot_that_does_not_take_subscribers_has_no_form(bot: Bot, bobs_browser: Client) -> None:
    Bot.objects.update(state=Bot.State.SUSPENDED)

    assert bobs_browser.get(address("account")).status_code == 404
    assert enter(bobs_browser, "market").status_code == 404


def test_the_form_asks_a_visitor_to_sign_in(bot: Bot, client: Client) -> None:
    for step in ("account", "risk", "review", "loss"):
        answer = client.get(address(step))

        assert answer.headers["Location"] == f"/accounts/login/?next={address(step)}"


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

    with django_assert_num_queries(7):  # session, person, bot, version, draft, exchanges, suggested pairs
        page = bobs_browser.get(address("market"))

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
