"""The pages on which people, and staff, say how far bots may trade."""

import re
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from subscriptions.models import Envelope, TradingState, TradingSwitch
from subscriptions.switches import set_envelope, set_platform_state, standing_of
from tests.execution.test_watching import holding
from tests.factories import PASSWORD, make_exchange_account, make_market, make_subscription, sign_in_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def bobs_browser(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def text(browser: Client, path: str = "/limits/") -> str:
    return browser.get(path).content.decode()


@pytest.mark.parametrize("path", ["/limits/", "/staff/trading/"])
def test_a_stranger_signs_in_first(client: Client, path: str) -> None:
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", ["/limits/state/", "/limits/envelope/"])
def test_what_changes_something_is_posted(bobs_browser: Client, path: str) -> None:
    assert bobs_browser.get(path).status_code == 405


def test_a_newcomer_sees_what_the_page_is_for(bobs_browser: Client) -> None:
    page = text(bobs_browser)

    assert "No bot works for you yet" in page
    assert re.findall(r'name="state" value="(\w+)"', page) == ["REDUCING", "HALTED"]  # what changes something


def test_all_trading_is_stopped_with_one_button_and_pages_say_so(bobs_browser: Client, bob: User) -> None:
    subscription = make_subscription(bob)

    bobs_browser.post("/limits/state/", {"state": "HALTED", "reason": "On holiday <b>"})

    assert standing_of(bob.pk).state == TradingState.HALTED
    for page in (
        text(bobs_browser),
        text(bobs_browser, "/dashboard/"),
        text(bobs_browser, subscription.get_absolute_url()),
    ):
        assert "no order goes out, and no stop acts" in page
        assert "On holiday &lt;b&gt;" in page
    assert re.findall(r'name="state" value="(\w+)"', text(bobs_browser)) == ["ACTIVE", "REDUCING"]
    bobs_browser.post("/limits/state/", {"state": "ACTIVE"})
    assert "no stop acts</strong>" not in text(bobs_browser, "/dashboard/")


@pytest.mark.parametrize("state", ["", "halted", "x" * 300])
def test_another_state_changes_nothing(bobs_browser: Client, state: str) -> None:
    page = bobs_browser.post("/limits/state/", {"state": state}, follow=True).content.decode()

    assert "Choose one of the three" in page
    assert not TradingSwitch.objects.exists()


def test_limits_are_set_per_currency_beside_the_figures_of_now(bobs_browser: Client, bob: User) -> None:
    holding(trader=bob)
    make_subscription(bob, market=make_market(trading_pair="BTC/USDC"))

    values = {"quote": "USDT", "max_exposure": "1500.5", "max_daily_loss": ""}
    bobs_browser.post("/limits/envelope/", values)

    envelope = Envelope.objects.get()
    assert (envelope.trader, envelope.quote) == (bob, "USDT")
    assert (envelope.max_exposure, envelope.max_daily_loss) == (Decimal("1500.5"), None)
    page = text(bobs_browser)
    assert all(shown in page for shown in ("In USDT", "In USDC", "600.60", "1500.5"))


def test_with_real_money_only_what_is_less_strict_asks_for_the_password(
    bobs_browser: Client, bob: User
) -> None:
    make_subscription(bob)
    make_exchange_account(bob, environment="LIVE")

    def sent(address: str, **values: str) -> str:
        return bobs_browser.post(f"/limits/{address}/", values).headers["Location"]

    def limits(exposure: str, loss: str) -> str:
        return sent("envelope", quote="USDT", max_exposure=exposure, max_daily_loss=loss)

    stricter = [limits("1000", ""), limits("900", "50"), limits("900", "50")]
    stricter += [sent("state", state=state) for state in ("ACTIVE", "REDUCING", "HALTED", "HALTED")]
    assert set(stricter) == {"/limits/"}

    wider = [limits("900.01", "50"), limits("", "50"), limits("800", "51")]
    wider += [sent("state", state=state) for state in ("REDUCING", "ACTIVE")]
    assert all("/reauthenticate/" in address for address in wider)
    assert Envelope.objects.get().max_exposure == 900
    assert standing_of(bob.pk).state == TradingState.HALTED

    bobs_browser.post(wider[-1], {"password": PASSWORD})  # what waited is done then
    assert standing_of(bob.pk).state == TradingState.ACTIVE
    assert limits("", "") == "/limits/"


def test_a_limit_is_shown_as_it_was_typed(bobs_browser: Client, bob: User) -> None:
    make_subscription(bob)
    set_envelope(trader=bob, quote="USDT", max_exposure=Decimal(20_000), max_daily_loss=Decimal("0.5"))

    page = text(bobs_browser)

    assert 'value="20000"' in page
    assert 'value="0.5"' in page


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"quote": "USDT", "max_exposure": "0"}, "Enter an amount above zero"),
        ({"quote": "USDT", "max_exposure": "much"}, "Enter a number"),
        ({"quote": "USDT", "max_daily_loss": "1e400"}, "Enter a number"),
        ({"quote": "USDT", "max_daily_loss": "NaN"}, "Enter a number"),
    ],
)
def test_nonsense_is_refused_where_it_was_typed(
    bobs_browser: Client, bob: User, values: dict[str, str], words: str
) -> None:
    make_subscription(bob)

    page = bobs_browser.post("/limits/envelope/", values).content.decode()

    assert words in page
    assert not Envelope.objects.exists()


def test_a_currency_that_nobody_uses_gets_no_limit(bobs_browser: Client, bob: User) -> None:
    make_subscription(bob)

    assert bobs_browser.post("/limits/envelope/", {"quote": "EUR", "max_exposure": "5"}).status_code == 200
    assert not Envelope.objects.exists()


def test_others_limits_are_not_shown(bobs_browser: Client, charlie: User) -> None:
    make_subscription(charlie)
    set_envelope(trader=charlie, quote="USDT", max_exposure=Decimal(777), max_daily_loss=None)

    assert "777" not in text(bobs_browser)


def test_the_page_takes_as_many_queries_for_many_bots(
    bobs_browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_subscription(bob)

    # session, person, switches, envelopes, currencies, and two sums
    with django_assert_num_queries(11):
        text(bobs_browser)


def test_staff_hold_everybody_back_with_a_reason_that_all_read(
    client: Client, mona: User, bobs_browser: Client, bob: User
) -> None:
    make_subscription(bob)
    monas = Client()
    sign_in_staff(monas, mona)

    refused = monas.post("/staff/trading/", {"state": "HALTED", "reason": " "}).content.decode()
    assert "Say why" in refused
    assert standing_of(bob.pk).state == TradingState.ACTIVE
    monas.post("/staff/trading/", {"state": "REDUCING", "reason": "Exchange maintenance."})

    assert "Exchange maintenance." in text(monas, "/staff/trading/")
    page = text(bobs_browser, "/dashboard/")
    assert "hold trading back for everybody" in page
    assert "Exchange maintenance." in page


def test_only_staff_with_the_right_may(bobs_browser: Client, bob: User, mona: User) -> None:
    set_platform_state(state=TradingState.HALTED, reason="x", by=mona)

    assert bobs_browser.get("/staff/trading/").status_code == 404
    assert bobs_browser.post("/staff/trading/", {"state": "ACTIVE"}).status_code == 404
    assert standing_of(bob.pk).state == TradingState.HALTED
