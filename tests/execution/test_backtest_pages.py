"""The pages of backtests: the form, the list, what one found, two side by side, and who may see what."""

import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.models import User
from bot_sdk.metric_table import METRICS
from bot_sdk.parameters import Parameter
from bots.models import Bot
from bots.publishing import publish_version
from execution.backtest_requests import MOST_UNFINISHED
from execution.backtesting import setup_of
from execution.models import Backtest
from tests.execution.found import ATTACK, DAYS, FORMULA, TRADES, make_found
from tests.factories import make_backtest, make_bot, make_market

pytestmark = pytest.mark.django_db


@pytest.fixture
def bot() -> Bot:
    make_market()
    parameters = [Parameter("period", "integer", 14, "Look back", 2, 100)]
    return make_bot(name="Steady", slug="steady", parameters=parameters)


@pytest.fixture
def browser(client: Client, bob: User) -> Client:
    """Bob's."""
    client.force_login(bob)
    return client


def text(browser: Client, url: str, **query: Any) -> str:
    answer = browser.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


FORM = "/bots/steady/backtest/"


def filled(browser: Client, **changes: Any) -> dict[str, Any]:
    """What a browser sends when nothing but the changes was touched."""
    form = browser.get(FORM).context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in values.items() if value not in (None, False)} | changes


def test_the_untouched_form_asks_for_a_backtest_of_the_last_ninety_days(
    bot: Bot, browser: Client, bob: User, published: list[tuple[str, list[Any]]]
) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 12, tzinfo=UTC), tick=False):
        answer = browser.post(FORM, filled(browser))

    asked = Backtest.objects.get()
    assert answer.headers["Location"] == asked.get_absolute_url()
    assert (asked.requested_by, asked.version, asked.state) == (bob, bot.current_version, "QUEUED")
    assert (asked.begins_at, asked.ends_at) == (
        datetime(2025, 12, 2, tzinfo=UTC),
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    assert (asked.timeframe, asked.capital, asked.slippage_percent) == ("1h", 10_000, Decimal("0.05"))
    assert asked.strategy_config == {"period": 14}


def test_asking_tells_the_workers(
    bot: Bot,
    browser: Client,
    published: list[tuple[str, list[Any]]],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(FORM, filled(browser))

    assert published == [("execution.tasks.run_backtest", [str(Backtest.objects.get().pk)])]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("trading_pair", "BTC/EUR", "Binance has no pair"),
        ("timeframe", "2h", "Expected one of 1m"),
        ("begins_on", "", "Enter a day"),
        ("begins_on", "0001-01-01", "2010"),
        ("begins_on", "2011-01-01", ""),
        ("ends_on", "2090-01-01", "the future has no candles yet"),
        ("ends_on", "9999-12-31", "2100"),
        ("ends_on", "2020-01-01", "at least 10 candles"),
        ("version", "v9.9.9", "Choose one of v1.0.0"),
        ("capital", "0", "above zero"),
        ("capital", "NaN", "Enter a number"),
        ("strategy-period", "1000", "Enter 100 or less"),
        ("buy_order_value", "101", "Enter 100 or less"),
        ("stop_loss_percent", "-1", "above zero"),
        ("slippage_percent", "11", "0 to 10 %"),
        ("slippage_percent", "0.00001", "at most 4 places"),
        ("fill_at", "yesterday", "Expected one of next_open, close"),
        ("detail_timeframe", "4h", "Expected one of 1m"),
    ],
)
def test_a_wrong_entry_is_named_at_its_field(
    bot: Bot, browser: Client, field: str, value: str, said: str
) -> None:
    answer = browser.post(FORM, filled(browser, **{field: value}))

    if not said:  # allowed: fifteen years of hours
        assert answer.status_code == 302
        return
    assert Backtest.objects.count() == 0
    assert said in " ".join(answer.context["form"].errors[field])
    assert "Nothing was run" in answer.content.decode()


def test_trades_that_are_not_listed_are_told_of(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None
    assert "are listed" not in text(browser, found.get_absolute_url())

    found.report["trades"] = found.report["trades"][:40]
    found.save()

    assert f"The first 40 of {TRADES} are listed" in text(browser, found.get_absolute_url())


@pytest.mark.parametrize("timeframe", ["1h", "4h", "1d"])
def test_a_day_that_is_not_over_is_refused(bot: Bot, browser: Client, timeframe: str) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 21, tzinfo=UTC), tick=False):
        answer = browser.post(FORM, filled(browser, timeframe=timeframe, ends_on="2026-03-02"))

    assert "a day that is over" in " ".join(answer.context["form"].errors["ends_on"])


def test_one_may_not_have_too_many_unfinished(bot: Bot, browser: Client, bob: User) -> None:
    for _ in range(MOST_UNFINISHED):
        make_backtest(bob, bot=bot)

    answer = browser.post(FORM, filled(browser))

    assert "are not finished" in answer.content.decode()
    assert Backtest.objects.count() == MOST_UNFINISHED


def test_one_box_goes_back_to_what_is_proposed_and_nothing_is_run(bot: Bot, browser: Client) -> None:
    typed = filled(browser, reset="capital", capital="7", **{"strategy-period": "x"})

    form = browser.post(FORM, typed).context["form"]

    assert (form["capital"].value(), form["strategy-period"].value(), form.errors) == (10_000, "x", {})
    assert not Backtest.objects.exists()


def test_running_again_begins_with_what_was_set(bot: Bot, browser: Client, bob: User) -> None:
    browser.post(
        FORM,
        filled(
            browser,
            begins_on="2026-01-01",
            ends_on="2026-01-31",
            capital="2500.5",
            slippage_percent="0.1",
            stop_loss_percent="",
            max_daily_loss_percent="2.5",
            buy_order_type="ALL",
            buy_order_value="",
            is_strict="on",
            **{"strategy-period": "21"},
        ),
    )
    earlier = Backtest.objects.get()

    form = browser.get(FORM, {"again": str(earlier.pk)}).context["form"]

    begins_with = {name: form[name].value() for name in form.fields}
    assert begins_with["begins_on"] == date(2026, 1, 1)
    assert begins_with["ends_on"] == date(2026, 1, 31)
    assert [begins_with[name] for name in ("capital", "slippage_percent", "max_daily_loss_percent")] == [
        "2500.5",
        "0.1",
        "2.5",
    ]
    assert [begins_with[name] for name in ("stop_loss_percent", "buy_order_value")] == [None, None]
    assert (begins_with["buy_order_type"], begins_with["is_strict"]) == ("ALL", True)
    assert begins_with["strategy-period"] == 21


@pytest.mark.parametrize("again", ["nonsense", "6f1d8f0a-3c0e-4a53-9d55-0b1c2d3e4f50", "charlies"])
def test_only_what_one_may_see_can_be_run_again(bot: Bot, browser: Client, charlie: User, again: str) -> None:
    theirs = make_backtest(charlie, bot=bot)

    answer = browser.get(FORM, {"again": str(theirs.pk) if again == "charlies" else again})

    assert answer.status_code == 404


def test_another_versions_parameters_are_shown_when_it_is_chosen(bot: Bot, browser: Client) -> None:
    publish_version(bot=bot, number="v1.1.0", code="", parameters=[Parameter("depth", "integer", 3)])

    newest, chosen = text(browser, FORM), text(browser, FORM, version="v1.0.0")

    assert ("strategy-depth" in newest, "strategy-period" in newest) == (True, False)
    assert ("strategy-depth" in chosen, "strategy-period" in chosen) == (False, True)


def test_the_bots_page_leads_to_the_form(bot: Bot, browser: Client) -> None:
    assert f'href="{FORM}"' in text(browser, bot.get_absolute_url())
    assert 'href="/backtests/"' in text(browser, "/dashboard/")


@pytest.mark.parametrize("url", [FORM, "/backtests/"])
def test_strangers_sign_in_first(bot: Bot, client: Client, url: str) -> None:
    assert client.get(url).headers["Location"].startswith("/accounts/login/")


def test_without_a_backtest_the_list_says_where_to_begin(browser: Client) -> None:
    page = text(browser, "/backtests/")

    assert "No backtest yet" in page
    assert "See the catalogue" in page


def test_the_list_has_ones_own_with_their_figures(browser: Client, bob: User, charlie: User) -> None:
    mine, theirs = make_found(bob), make_found(charlie, is_shared=True)
    make_backtest(bob, state="FAILED", message="no candles")

    page = text(browser, "/backtests/")

    assert mine.get_absolute_url() in page
    assert theirs.get_absolute_url() not in page
    assert "Failed" in page
    assert mine.report is not None
    assert f"{abs(mine.report['summary']['return_percent']):.2f}\N{NARROW NO-BREAK SPACE}%" in page


@pytest.mark.parametrize("count", [1, 19])
def test_the_list_takes_as_many_queries_for_many(
    browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for _ in range(count):
        make_found(bob)

    with django_assert_num_queries(4):  # session, person, how many, backtests
        text(browser, "/backtests/")


def test_a_waiting_one_says_how_many_are_ahead_and_can_be_canceled(browser: Client, bob: User) -> None:
    make_backtest(), make_backtest()
    waiting = make_backtest(bob)

    page = text(browser, waiting.get_absolute_url())
    answer = browser.post(f"{waiting.get_absolute_url()}cancel/", follow=True)

    assert "Waiting for its turn: 2 ahead" in page
    assert "so there is nothing to show" in answer.content.decode()
    waiting.refresh_from_db()
    assert waiting.state == "CANCELED"


def test_a_running_one_is_asked_to_end(browser: Client, bob: User) -> None:
    running = make_backtest(bob, state="RUNNING", doing="Asking the bot", progress_percent=42)

    page = text(browser, running.get_absolute_url())
    answer = browser.post(f"{running.get_absolute_url()}cancel/", follow=True)

    assert 'max="100" value="42"' in page
    running.refresh_from_db()
    assert running.is_cancel_wanted
    assert "Ending" in answer.content.decode()
    assert 'id="cancel"' not in answer.content.decode()


def test_polling_answers_only_news_and_reloads_when_finished(
    browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    running = make_backtest(bob, state="RUNNING", doing="Asking the bot", progress_percent=42)
    live = f"{running.get_absolute_url()}live/"
    seen = browser.get(running.get_absolute_url()).context["token"]

    with django_assert_num_queries(3):  # session, person, backtest
        same = browser.get(live, {"seen": seen})
    Backtest.objects.update(progress_percent=43)
    further = browser.get(live, {"seen": seen})
    Backtest.objects.update(state="DONE")
    finished = browser.get(live, {"seen": seen})

    assert same.status_code == 204
    assert 'value="43"' in further.content.decode()
    assert finished.headers["HX-Refresh"] == "true"


def test_a_finished_one_shows_what_it_found(browser: Client, bob: User) -> None:
    page = text(browser, make_found(bob).get_absolute_url())

    assert f"<dt>Closed trades</dt><dd>{TRADES}</dd>" in page
    assert "buy and hold: <strong>" in page
    assert "deflated for 3 versions" in page
    assert "resampled paths" in page
    months = re.findall(r'class="heat-[^"]*"><dt>(\w+)</dt>', page)
    assert months == [
        "Nov",
        "Dec",
        "Total",
        "Jan",
        "Feb",
        "Total",
    ]  # those of the run, which began on 21 November
    assert "Deepest drawdowns" in page
    assert "Market orders are sized and filled at the open" in page
    assert "1.5 s, 1.0 s of processor time and at most 80 MB" in page
    assert escape(METRICS[0].definition) in page
    assert f'Trades <span class="count">{TRADES}</span>' in page
    assert "It takes 365 days, and these are 100." in page


def test_a_bots_words_stay_words(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None
    found.report["failures"] = [{"opened_at": "2026-01-01T00:00:00+00:00", "message": ATTACK}]
    found.message, found.state = ATTACK, "ENDED_EARLY"
    found.save()

    page = text(browser, found.get_absolute_url())

    assert ATTACK not in page
    assert page.count("&lt;script&gt;alert(&#x27;gotcha&#x27;)&lt;/script&gt;") >= 4
    assert "style=" not in page


@pytest.mark.parametrize(
    ("state", "has_report", "said"),
    [
        ("DONE", True, "Candles, equity and drawdown"),
        ("CANCELED", True, "It was canceled after 100 candles."),
        ("CANCELED", False, "so there is nothing to show"),
        ("ENDED_EARLY", True, "What follows is what was found up to there."),
        ("FAILED", False, "It found nothing."),
    ],
)
def test_each_end_says_what_happened(
    browser: Client, bob: User, state: str, has_report: bool, said: str
) -> None:
    found = make_found(bob, state=state, message="The time for one backtest was over.")
    if not has_report:
        Backtest.objects.update(report=None)

    page = text(browser, found.get_absolute_url())

    assert said in page
    assert ('id="chart"' in page) == has_report
    assert ("The time for one backtest was over." in page) == (state in ("ENDED_EARLY", "FAILED"))


def test_a_version_without_a_trade_has_a_page_too(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None
    empty: dict[str, Any] = {"trades": [], "fills": [], "drawdowns": [], "monthly": [], "monte_carlo": None}
    found.report |= empty | {"deflated_sharpe_percent": None, "bars": []}
    found.report["metrics"] = dict.fromkeys(found.report["metrics"])
    found.save()

    page = text(browser, found.get_absolute_url())
    drawn = browser.get(f"{found.get_absolute_url()}chart.json").json()

    assert "No closed trade" in page
    assert "n/a" in page
    assert (drawn["bars"], drawn["curve"], drawn["markers"], drawn["luck"]) == ([], [], [], [])


@pytest.mark.parametrize("query", ["", "?sort=-pnl&page=2", "?sort=nonsense&page=999"])
def test_a_page_takes_the_same_queries_however_it_is_sorted(
    browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries, query: str
) -> None:
    found = make_found(bob)

    with django_assert_num_queries(5):  # session, person, backtest, its bot, others to compare with
        text(browser, found.get_absolute_url() + query)


def profits(browser: Client, found: Backtest, **query: Any) -> list[float]:
    trades = browser.get(found.get_absolute_url(), query).context["trades"]
    return [trade.figures["pnl"] for trade in trades]


def test_trades_are_sorted_and_paged_by_the_address(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None
    in_time = [trade["pnl"] for trade in found.report["trades"]]

    assert profits(browser, found) == in_time[:10]
    assert profits(browser, found, page=2) == in_time[10:20]
    assert profits(browser, found, sort="-pnl") == sorted(in_time, reverse=True)[:10]
    assert profits(browser, found, sort="pnl") == sorted(in_time)[:10]
    assert profits(browser, found, sort="no such column") == in_time[:10]
    assert 'aria-sort="descending"' in text(browser, found.get_absolute_url(), sort="-held")


def test_htmx_gets_the_trades_alone(browser: Client, bob: User) -> None:
    found = make_found(bob)

    part = browser.get(found.get_absolute_url(), {"sort": "-pnl"}, headers={"HX-Request": "true"})

    assert part.content.decode().lstrip().startswith('<section class="card" id="trades"')


def test_trades_as_a_file_begin_no_formula(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None

    answer = browser.get(f"{found.get_absolute_url()}trades.csv")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert len(rows) == TRADES
    assert [float(row["pnl"]) for row in rows] == [trade["pnl"] for trade in found.report["trades"]]
    assert rows[0]["entry_reason"] == ATTACK
    assert {row["exit_reason"] for row in rows} == {f"'{FORMULA}"}


def test_the_charts_lists_agree_with_the_report(browser: Client, bob: User) -> None:
    found = make_found(bob)
    assert found.report is not None

    drawn = browser.get(f"{found.get_absolute_url()}chart.json").json()

    assert [bar[0] for bar in drawn["bars"]] == [bar[0] for bar in drawn["curve"]]
    assert len(drawn["bars"]) == DAYS
    assert sum(count for *_, count in drawn["markers"]) == len(found.report["fills"])
    first_fill = datetime.fromisoformat(found.report["fills"][0]["at"]).timestamp()
    assert drawn["markers"][0] == [first_fill, "BUY", 1]  # at the open of the candle after the decision
    assert drawn["curve"][-1][1] == pytest.approx(found.report["summary"]["equity"])
    assert min(row[3] for row in drawn["curve"]) <= -found.report["metrics"]["max_drawdown_percent"] + 1e-6
    assert drawn["luck"][0] == ["2025-11-20", 1000, 1000, 1000, 1000]


def test_a_fill_at_the_close_is_drawn_at_the_candle_that_closed(browser: Client, bob: User) -> None:
    found = make_found(bob, fill_at="close")
    assert found.report is not None
    found.report["fills"] = [{"at": "2025-11-23T00:00:00+00:00", "side": "BUY", "price": 1, "source": "bot"}]
    found.save()

    drawn = browser.get(f"{found.get_absolute_url()}chart.json").json()

    assert drawn["markers"] == [[datetime(2025, 11, 22, tzinfo=UTC).timestamp(), "BUY", 1]]


PARTS = ["", "live/", "chart.json", "trades.csv"]


def without_tokens(answer: Any) -> str:
    """The page without what is a new one each time: the form's token and the script's nonce."""
    return re.sub(r'(value|nonce)="[\w-]{22,64}"', "", answer.content.decode())


@pytest.mark.parametrize("part", PARTS)
def test_others_find_nothing_not_even_that_it_exists(browser: Client, charlie: User, part: str) -> None:
    theirs = make_found(charlie)

    refused = browser.get(theirs.get_absolute_url() + part)
    missing = browser.get(f"/backtests/{uuid.uuid4()}/{part}")

    assert (refused.status_code, missing.status_code) == (404, 404)
    assert without_tokens(refused) == without_tokens(missing)


@pytest.mark.parametrize("part", PARTS)
def test_whoever_is_not_signed_in_does_so_first(browser: Client, bob: User, part: str) -> None:
    mine = make_found(bob)
    browser.logout()

    refused = browser.get(mine.get_absolute_url() + part)
    missing = browser.get(f"/backtests/{uuid.uuid4()}/{part}")
    polled = browser.get(mine.get_absolute_url() + part, headers={"HX-Request": "true"})

    assert refused.headers["Location"] == f"/accounts/login/?next={mine.get_absolute_url()}{part}"
    assert missing.headers["Location"].startswith("/accounts/login/")
    assert polled.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("deed", ["cancel", "share"])
def test_only_the_owner_may_change_it(browser: Client, charlie: User, deed: str) -> None:
    theirs = make_backtest(charlie, is_shared=True)
    address = f"{theirs.get_absolute_url()}{deed}/"

    assert browser.post(address).status_code == 404
    assert browser.get(address).status_code == 405
    browser.logout()
    assert browser.post(address).headers["Location"].startswith("/accounts/login/")
    theirs.refresh_from_db()
    assert (theirs.state, theirs.is_shared) == ("QUEUED", True)


def test_whoever_has_the_link_of_a_shared_one_may_read_it(browser: Client, bob: User) -> None:
    found = make_found(bob)
    address = found.get_absolute_url()

    shared = browser.post(f"{address}share/", {"is_shared": "on"}, follow=True).content.decode()
    browser.logout()
    page = text(browser, address)
    parts = [browser.get(address + part).status_code for part in PARTS[2:]]

    assert 'value="http' in shared
    assert "All figures" in page
    assert bob.username not in page
    assert not any(each in page for each in ("Stop sharing", "cancel/", "share/", 'href="/backtests/"'))
    assert parts == [200, 200]


def test_sharing_ends_when_its_owner_says_so(browser: Client, bob: User) -> None:
    found = make_found(bob, is_shared=True)

    browser.post(f"{found.get_absolute_url()}share/")
    browser.logout()

    assert browser.get(found.get_absolute_url()).status_code == 302


def test_another_person_may_try_a_shared_one_again_with_changes(
    bot: Bot, browser: Client, charlie: User
) -> None:
    theirs = make_found(charlie, bot=bot, is_shared=True, capital=Decimal(777))
    again = f"{FORM}?again={theirs.pk}"

    assert again in text(browser, theirs.get_absolute_url())
    assert browser.get(again).context["form"]["capital"].value() == "777"


def test_a_bot_that_is_no_longer_offered_keeps_its_backtests(browser: Client, bob: User) -> None:
    found = make_found(bob)
    Bot.objects.update(state=Bot.State.SUSPENDED)

    page = text(browser, found.get_absolute_url())

    assert "All figures" in page
    assert "Run again with changes" not in page


def compare(browser: Client, one: Backtest, other: Backtest) -> str:
    return text(browser, "/backtests/compare/", a=str(one.pk), b=str(other.pk))


def test_two_are_compared_setting_by_setting_and_figure_by_figure(browser: Client, bob: User) -> None:
    one = make_found(bob, slippage_percent=Decimal("0.1"))
    other = make_found(bob, bot=one.version.bot)
    assert other.report is not None
    other.report["risk"] = {"stop_loss_percent": 5}
    other.report["metrics"] |= {"total_return_percent": -99.0, "max_drawdown_percent": 0.5}
    other.save()

    answer = browser.get("/backtests/compare/", {"a": str(one.pk), "b": str(other.pk)})

    differing = {label for rows in answer.context["differing"].values() for label, _, _ in rows}
    groups = [*answer.context["groups"], *answer.context["more_groups"]]
    better = {metric.key: which for _, rows in groups for metric, _, _, which in rows}
    assert differing == {"Slippage", "Stop loss"}
    assert (better["total_return_percent"], better["max_drawdown_percent"]) == ("a", "b")
    assert (better["sharpe"], better["trades"]) == ("", "")
    same = {label for rows in answer.context["same"].values() for label, _, _ in rows}
    assert same and not same & differing


def test_sums_of_different_money_are_not_called_better(browser: Client, bob: User) -> None:
    one, other = make_found(bob), make_found(bob, slippage_percent=Decimal("0.0040"))
    assert other.report is not None
    other.report["metrics"] |= {"net_profit": 999_999.0, "total_return_percent": 99.0}
    other.save()

    def better(key: str) -> str:
        answer = browser.get("/backtests/compare/", {"a": str(one.pk), "b": str(other.pk)})
        groups = [*answer.context["groups"], *answer.context["more_groups"]]
        [found] = [which for _, rows in groups for metric, _, _, which in rows if metric.key == key]
        assert "0.004\N{NARROW NO-BREAK SPACE}%" in answer.text
        return str(found)

    assert (better("net_profit"), better("total_return_percent")) == ("b", "b")
    Backtest.objects.filter(pk=other.pk).update(capital=other.capital * 10)
    assert (better("net_profit"), better("total_return_percent")) == ("", "b")


def test_a_list_leads_to_the_comparison_of_two(browser: Client, bob: User) -> None:
    one, other = make_found(bob), make_found(bob)

    two = browser.get("/backtests/compare/", {"run": [str(one.pk), str(other.pk)]})
    lone = browser.get("/backtests/compare/", {"run": str(one.pk)}, follow=True)

    assert two.headers["Location"] == f"/backtests/compare/?a={one.pk}&b={other.pk}"
    assert "Choose two backtests" in lone.content.decode()


def test_one_that_found_nothing_has_no_figures_to_compare(browser: Client, bob: User) -> None:
    page = compare(browser, make_found(bob), make_backtest(bob))

    assert "Their figures stand here once both have some" in page


@pytest.mark.parametrize("query", ["", "?a=nonsense&b=", "?a={mine}&b={theirs}", "?a={mine}&b=%00"])
def test_only_what_one_may_see_is_compared(browser: Client, bob: User, charlie: User, query: str) -> None:
    mine, theirs = make_found(bob), make_found(charlie)

    answer = browser.get("/backtests/compare/" + query.format(mine=mine.pk, theirs=theirs.pk))

    assert answer.status_code == 404


def test_the_comparison_takes_four_queries(
    browser: Client, bob: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    one, other = make_found(bob), make_found(bob)

    with django_assert_num_queries(4):  # session, person, one, the other
        compare(browser, one, other)


def test_the_platforms_limits_hold_in_a_backtest_as_they_do_in_trading(
    browser: Client, bob: User, settings: Settings
) -> None:
    settings.PLATFORM_RISK_LIMITS = {"max_position_size": Decimal(15), "stop_loss_percent": Decimal(10)}
    waiting = make_backtest(bob, risk_config={"max_position_size": 20, "stop_loss_percent": 4})

    held = setup_of(waiting).terms.risk

    assert (held.max_position_size, held.stop_loss_percent) == (15, 4)


def test_the_limits_that_held_are_shown(browser: Client, bob: User) -> None:
    found = make_found(bob, risk_config={"max_position_size": 20})
    assert found.report is not None
    found.report["risk"] = {"max_position_size": 15}
    found.save()

    page = text(browser, found.get_absolute_url())

    assert "15\N{NARROW NO-BREAK SPACE}% of the allocated capital" in page


def test_a_backtest_leads_to_a_subscription_with_its_settings(
    browser: Client, bob: User, charlie: User, mona: User, bot: Bot
) -> None:
    settled = {"strategy_config": {"period": 21, "gone": 3}, "risk_config": {"stop_loss_percent": 7.0}}
    tried = make_backtest(bob, bot=bot, timeframe="4h", state="FAILED", **settled)
    address = f"{tried.get_absolute_url()}subscribe/"

    review = browser.post(address, follow=True)
    values = {name: review.context["form"][name].value() for name in review.context["form"].fields}

    assert review.redirect_chain == [("/bots/steady/subscribe/review/", 302)]
    assert (values["strategy-period"], values["timeframe"]) == (21, "4h")
    assert (values["stop_loss_percent"], values["allocated_capital"]) == ("7", "1000")
    for person, status in ((charlie, 404), (mona, 404)):
        other = Client()
        other.force_login(person)
        assert other.post(address).status_code == status
    assert Client().post(address).headers["Location"].startswith("/accounts/login/")
    mine = make_backtest(mona, bot=bot)
    other.force_login(mona)
    assert other.post(f"{mine.get_absolute_url()}subscribe/").status_code == 403
