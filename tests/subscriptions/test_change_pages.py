"""The pages on which a trader moves to another version, changes settings and clones a subscription."""

import re
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from bots.models import Bot, BotVersion
from bots.publishing import publish_version
from subscriptions import lifecycle
from subscriptions.models import Subscription
from tests.factories import BUYING_BOT, make_bot, make_exchange_account, make_market, make_subscription
from tests.subscriptions.test_changing import NEW, OLD, RISK
from tests.subscriptions.test_subscribe_page import CHOICES, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot(alice: User) -> Bot:
    make_market()
    return make_bot(alice, name="Steady", slug="steady", parameters=OLD)


@pytest.fixture
def subscription(bob: User, bot: Bot) -> Subscription:
    return make_subscription(bob, bot=bot, strategy_config={"period": 50, "mode": "wild", "lost": 7})


@pytest.fixture
def newer(bot: Bot) -> BotVersion:
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT, parameters=NEW, risk_defaults=RISK)
    BotVersion.objects.filter(number="v1.1.0").update(release_notes="Looks back **less**. <script>x</script>")
    return bot.versions.get(number="v1.1.0")


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def address(subscription: Subscription, page: str) -> str:
    return f"/subscriptions/{subscription.pk}/{page}/"


def text(browser: Client, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())


def filled_in(subscription: Subscription, **changes: str) -> dict[str, Any]:
    """What the form of the settings sends, unchanged but for `changes`."""
    settled = {name: value for name, value in CHOICES.items() if not name.startswith("strategy-")}
    own = {"strategy-period": "50", "strategy-mode": "wild", "strategy-lost": "7", "buy_order_value": "10"}
    own |= {"take_profit_percent": "10", "revision": str(subscription.revision)}
    return settled | own | changes


def test_a_newer_version_is_told_of_with_its_notes(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion
) -> None:
    page = text(bobs_browser, subscription.get_absolute_url())

    assert "v1.1.0 is offered" in page
    assert "Looks back <strong>less</strong>." in page
    assert "<script>x" not in page
    assert f'href="{address(subscription, "version")}?to=v1.1.0"' in page


def test_the_preview_says_what_moving_would_change_and_moves_nothing(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion
) -> None:
    page = text(bobs_browser, address(subscription, "version") + "?to=v1.1.0")

    for words in ("Gained", "Looks back", "They are not taken over", "Stop loss", "from the next candle on"):
        assert words in page
    subscription.refresh_from_db()
    assert subscription.version != newer


def test_moving_leads_back_to_the_page_which_keeps_what_changed(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion
) -> None:
    answer = bobs_browser.post(address(subscription, "version"), {"to": "v1.1.0", "revision": 0}, follow=True)

    page = answer.content.decode()
    assert "v1.1.0 decides from the next candle on." in page
    assert "Version: v1.1.0 instead of v1.0.0" in page
    assert "Period: 10 instead of 50" in page
    subscription.refresh_from_db()
    assert subscription.version == newer


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"to": "v9.9.9", "revision": "0"}, "not offered now"),
        ({"to": "v1.1.0", "revision": "1"}, "Look at it again"),
        ({"to": "v1.1.0", "revision": "\0" * 400}, "Look at it again"),
        ({"to": "v1.1.0"}, "Look at it again"),
    ],
)
def test_a_bad_move_is_refused_with_the_reason(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion, sent: dict[str, str], told: str
) -> None:
    page = bobs_browser.post(address(subscription, "version"), sent).content.decode()

    assert told in page
    subscription.refresh_from_db()
    assert subscription.version != newer


def test_without_another_version_the_page_says_so(bobs_browser: Client, subscription: Subscription) -> None:
    assert "No other version" in text(bobs_browser, address(subscription, "version"))
    assert 'id="versions"' not in text(bobs_browser, subscription.get_absolute_url())


def test_settings_are_changed_after_a_look_at_what_changes(
    bobs_browser: Client, subscription: Subscription
) -> None:
    url = address(subscription, "settings")
    assert 'value="50"' in text(bobs_browser, url)
    wanted = filled_in(subscription, **{"strategy-period": "21", "cool_down_minutes": "30"})

    shown = bobs_browser.post(url, wanted | {"step": "preview"})
    told = [(each.label, each.old, each.new) for each in shown.context["differences"]]
    assert told == [("Period", "50", "21"), ("Cool-down", "off", "30\N{NARROW NO-BREAK SPACE}min")]
    assert not subscription.changes.exists()
    hidden = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', shown.content.decode())
    page = bobs_browser.post(url, dict(hidden) | {"step": "store"}, follow=True).content.decode()

    assert "Changed. It holds from the next candle on." in page
    assert "Cool-down: 30\N{NARROW NO-BREAK SPACE}min instead of off" in page
    subscription.refresh_from_db()
    assert subscription.strategy_config == {"period": 21, "mode": "wild", "lost": 7}


@time_machine.travel("2026-03-02 12:00:20+00:00", tick=False)
def test_the_preview_says_from_when_it_holds_and_what_can_be_lost_then(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion
) -> None:
    wanted = filled_in(subscription, stop_loss_percent="", step="preview")

    page = bobs_browser.post(address(subscription, "settings"), wanted).content.decode()
    moving = text(bobs_browser, address(subscription, "version") + "?to=v1.1.0")

    for shown in (page, moving):
        assert 'datetime="2026-03-02T12:01:00Z"' in shown  # the minute that is open closes then
    assert "You can lose all of a position, about 2" in page

    lifecycle.pause(subscription=subscription)
    page = bobs_browser.post(address(subscription, "settings"), wanted).content.decode()
    assert "once you resume it" in page


def test_from_the_preview_one_can_go_back_to_the_form(
    bobs_browser: Client, subscription: Subscription
) -> None:
    wanted = filled_in(subscription, cool_down_minutes="30", step="edit")

    answer = bobs_browser.post(address(subscription, "settings"), wanted)

    assert "differences" not in answer.context
    assert 'value="30"' in answer.content.decode()


def test_one_setting_goes_back_to_what_is_proposed_in_the_form(
    bobs_browser: Client, subscription: Subscription
) -> None:
    wanted = filled_in(subscription, cool_down_minutes="30", stop_loss_percent="9", reset="stop_loss_percent")

    answer = bobs_browser.post(address(subscription, "settings"), wanted)

    form = answer.context["form"]
    assert (form["stop_loss_percent"].value(), form["cool_down_minutes"].value()) == (5, "30")
    assert "differences" not in answer.context


def test_what_was_left_as_it_is_changes_nothing(bobs_browser: Client, subscription: Subscription) -> None:
    answer = bobs_browser.post(address(subscription, "settings"), filled_in(subscription))

    assert "Nothing changes" in answer.content.decode()


@pytest.mark.parametrize("step", ["preview", "store", ""])
@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("strategy-period", "1"),
        ("strategy-period", "9" * 400),
        ("stop_loss_percent", "0"),
        ("buy_order_value", ""),
    ],
)
def test_bad_settings_get_a_message_at_their_field(
    bobs_browser: Client, subscription: Subscription, field: str, typed: str, step: str
) -> None:
    sent = filled_in(subscription, **{field: typed}, step=step)

    form = bobs_browser.post(address(subscription, "settings"), sent).context["form"]

    assert (list(form.errors), form[field].value()) == ([field], typed)
    assert not subscription.changes.exists()


def test_settings_changed_in_another_window_are_not_overwritten(
    bobs_browser: Client, subscription: Subscription
) -> None:
    sent = filled_in(subscription, cool_down_minutes="30", step="store")
    bobs_browser.post(address(subscription, "settings"), sent)

    page = bobs_browser.post(address(subscription, "settings"), sent | {"cool_down_minutes": "5"})

    assert "Look at it again" in page.content.decode()
    subscription.refresh_from_db()
    assert subscription.risk_config["cool_down_minutes"] == 30


def test_the_capital_is_changed_on_a_page_of_its_own(
    bobs_browser: Client, subscription: Subscription
) -> None:
    page = text(bobs_browser, address(subscription, "settings"))

    assert f'href="{address(subscription, "capital")}"' in page
    assert 'name="allocated_capital"' not in page


def test_what_is_changed_of_a_paused_one_holds_once_it_is_resumed(
    bobs_browser: Client, subscription: Subscription
) -> None:
    lifecycle.pause(subscription=subscription)
    wanted = filled_in(subscription, cool_down_minutes="45") | {"step": "store"}

    page = bobs_browser.post(address(subscription, "settings"), wanted, follow=True).content.decode()

    assert "Changed. It holds once you resume it." in page


def test_resuming_what_staff_stopped_says_that_its_bot_is_not_run(
    bobs_browser: Client, subscription: Subscription
) -> None:
    def resumed() -> str:
        lifecycle.pause(subscription=subscription)
        return bobs_browser.post(address(subscription, "resume"), follow=True).content.decode()

    assert "the bot decides again from the next candle on" in resumed()
    BotVersion.objects.update(state="QUARANTINED")
    assert "The bot itself is not run now" in resumed()


def test_who_has_a_draft_is_told_that_a_clone_takes_its_place(
    bobs_browser: Client, subscription: Subscription
) -> None:
    first, second = (bobs_browser.post(address(subscription, "clone"), follow=True).text for _ in range(2))

    assert "takes the place of what you had entered" not in first
    assert "takes the place of what you had entered" in second


def test_a_clone_begins_with_the_same_settings(bobs_browser: Client, bob: User, bot: Bot) -> None:
    account = make_exchange_account(bob, environment="PAPER")
    first = make_subscription(
        bob,
        bot=bot,
        account=account,
        market=make_market(trading_pair="ETH/USDT"),
        timeframe="4h",
        strategy_config={"period": 50, "mode": "wild", "lost": 7},
        risk_config={"cool_down_minutes": 45},
    )
    assert address(first, "clone") in text(bobs_browser, first.get_absolute_url())

    answer = bobs_browser.post(address(first, "clone"))
    assert answer.headers["Location"] == "/bots/steady/subscribe/review/"
    start(bobs_browser)

    second = Subscription.objects.exclude(pk=first.pk).get()
    for name in ("account", "market", "timeframe", "allocated_capital", "documents"):
        assert getattr(second, name) == getattr(first, name)


def test_a_clone_gets_the_newest_version_with_what_fits_it(
    bobs_browser: Client, subscription: Subscription, newer: BotVersion
) -> None:
    form = bobs_browser.post(address(subscription, "clone"), follow=True).context["form"]

    assert (form["strategy-period"].value(), form["strategy-mode"].value()) == (10, "wild")


PAGES = ["version", "settings"]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_need_a_login(client: Client, subscription: Subscription, page: str) -> None:
    for answer in (client.get(address(subscription, page)), client.post(address(subscription, page))):
        assert answer.headers["Location"].startswith("/accounts/login/")


def test_others_subscriptions_are_not_there(
    client: Client, charlie: User, subscription: Subscription, newer: BotVersion
) -> None:
    client.force_login(charlie)

    for page in PAGES:
        assert client.get(address(subscription, page)).status_code == 404
        assert client.post(address(subscription, page), {"to": "v1.1.0", "revision": 0}).status_code == 404
    assert client.post(address(subscription, "clone")).status_code == 404


def test_a_stopped_subscription_is_not_changed(bobs_browser: Client, subscription: Subscription) -> None:
    lifecycle.stop(subscription=subscription)
    sent = filled_in(subscription, cool_down_minutes="30", step="store")

    page = bobs_browser.post(address(subscription, "settings"), sent).content.decode()

    assert "is stopped: it cannot be changed" in page
    assert "Change settings" not in text(bobs_browser, subscription.get_absolute_url())
