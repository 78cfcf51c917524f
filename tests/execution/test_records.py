"""The records of published bots: measured by the marketplace, from candles over HTTP in the real sandbox."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from bots.models import Bot, BotVersion
from bots.publishing import publish_version, retire
from bots.templatetags.bot_text import polyline
from exchanges.markets import refresh_markets
from execution import forward_runs, record_lines, records, tasks
from execution.account_fit import newest_signals
from execution.models import Backtest, BotRecord, SubscriptionPerformance
from execution.ranking import forget_former
from tests.execution.test_backtesting import BEGIN, SWINGING
from tests.factories import BUYING_BOT, make_bot, make_market, make_subscription

NOW = datetime(2026, 3, 9, 8, tzinfo=UTC)
STATISTICS_QUERIES = 4  # fates, states, and the two kinds of records
RECORD_QUERIES = 6  # the bot, its versions, the records, its run on paper and what that is worth

pytestmark = pytest.mark.django_db


@pytest.fixture
def markets(simulated_exchange: str) -> None:
    refresh_markets("BINANCE")


def page(client: Client, bot: Bot, **headers: str) -> str:
    answer = client.get(f"/bots/{bot.slug}/records/", headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def make_record(bot: Bot, **overrides: Any) -> BotRecord:
    """Our backtest of the bot's version, done, over a hundred days."""
    tasks.keep_records()
    record = BotRecord.objects.get(version=bot.current_version)
    assert record.backtest is not None
    equity = [10_000.0 + 10 * day for day in range(101)]
    metrics = dict.fromkeys(record_lines.FIGURES, 1.5) | {"trades": 20.0} | overrides.pop("metrics", {})
    Backtest.objects.filter(pk=record.backtest.pk).update(
        state=overrides.pop("state", "DONE"),
        finished_at=timezone.now(),
        report={"daily": {"equity": equity}, "metrics": metrics},
    )
    tasks.keep_records()
    record.refresh_from_db()
    return record


def make_forward_record(bot: Bot, *, days: int, **figures: float | None) -> BotRecord:
    """What its run on paper has done so far."""
    return BotRecord.objects.create(
        version=bot.versions.get(),
        kind=BotRecord.Kind.FORWARD,
        measured_at=timezone.now(),
        days=days,
        figures=dict.fromkeys(record_lines.FIGURES, 1.0) | {"decided": 24, "missed": 2} | figures,
        line=[10_000.0, 10_100.0],
    )


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ([100.0, 90.0, 110.0], "0.0,10.0 30.0,20.0 60.0,0.0"),  # over the whole of the box
        ([100.0, 100.0], "0.0,10.0 60.0,10.0"),
        ([10_000.0, 10_010.0], "0.0,10.5 60.0,9.5"),  # hardly moves, and looks so
        ([100.0], "0.0,10.0"),
    ],
)
def test_a_records_line_is_flat_where_the_equity_is(values: list[float], points: str) -> None:
    assert polyline(values, "60x20") == points


def test_a_published_version_is_backtested_and_shown_in_lists(markets: None, client: Client) -> None:
    bot = make_bot(code=SWINGING, timeframes=["1m"])

    tasks.keep_records()
    # not the whole period, which takes a while
    Backtest.objects.update(begins_at=BEGIN, ends_at=BEGIN + timedelta(minutes=100))
    backtest = Backtest.objects.get()
    tasks.run_backtest(str(backtest.pk))
    tasks.keep_records()

    backtest.refresh_from_db()
    assert (backtest.state, backtest.requested_by, str(backtest.market)) == (
        "DONE",
        None,
        "BTC/USDT on Binance",
    )
    record = BotRecord.objects.get()
    assert (record.version, record.days) == (bot.current_version, 1)
    assert record.figures["trades"] == 8
    assert record.figures["probabilistic_sharpe_percent"] is None
    assert len(record.line) == 2
    newest = newest_signals(record.version)
    assert newest is not None
    assert {signal.action for signal in newest.signals} == {"BUY", "SELL"}
    bot.refresh_from_db()
    assert bot.record is not None
    assert bot.record["line"] == record.line
    assert "<polyline" in client.get("/").content.decode()
    assert client.get(backtest.get_absolute_url()).status_code == 200


def test_a_version_is_measured_once_and_in_turn_with_others() -> None:
    make_market()
    bots = [make_bot() for _ in range(3)]

    tasks.keep_records()
    tasks.keep_records()

    waiting = Backtest.objects.values_list("version__bot", flat=True)
    assert sorted(waiting) == [bots[1].pk, bots[2].pk]


def test_a_bot_is_measured_on_a_market_that_it_is_made_for() -> None:
    make_market()
    make_market(trading_pair="ETH/USDT")
    make_bot(trading_pairs=["DOGE/USDT", "ETH/USDT"], timeframes=["1m"])

    records.keep(NOW)

    backtest = Backtest.objects.select_related("market").get()
    assert (backtest.market.trading_pair, backtest.timeframe) == ("ETH/USDT", "1m")
    assert backtest.ends_at == datetime(2026, 3, 8, tzinfo=UTC)
    assert backtest.ends_at - backtest.begins_at == timedelta(days=69)


def test_a_backtest_that_failed_is_made_again_the_next_day() -> None:
    make_market()
    make_bot()
    records.keep(NOW)
    Backtest.objects.update(state="FAILED", finished_at=NOW)

    records.keep(NOW + timedelta(hours=23))
    assert Backtest.objects.count() == 1
    records.keep(NOW + timedelta(hours=25))
    assert Backtest.objects.filter(state="QUEUED").count() == 1


def test_a_bot_that_breaks_off_gains_no_rank() -> None:
    make_market()
    bot = make_bot()

    make_record(bot, state="ENDED_EARLY")

    bot.refresh_from_db()
    assert bot.record is not None
    assert bot.record_score is None


def test_the_best_record_comes_first_and_a_short_one_last(client: Client) -> None:
    make_market()
    for name, score in (("Short", None), ("Better", 97.0), ("Good", 60.0)):
        make_record(make_bot(name=name), metrics={"probabilistic_sharpe_percent": score})

    html = client.get("/").content.decode()

    assert html.index("Better</a>") < html.index("Good</a>") < html.index("Short</a>")


def test_sixty_days_on_paper_take_the_backtests_place_which_counts_half(client: Client) -> None:
    make_market()
    for name, in_backtest, days, on_paper in (
        ("Backtest only", 99.0, 0, None),
        ("Gains on paper", 60.0, 60, 70.0),
        ("Loses on paper", 99.0, 61, 20.0),
        ("Too early", 90.0, 59, 99.0),
        ("Never trades", 99.0, 60, None),
    ):
        bot = make_bot(name=name)
        make_record(bot, metrics={"probabilistic_sharpe_percent": in_backtest})
        if days:
            make_forward_record(bot, days=days, probabilistic_sharpe_percent=on_paper)
    tasks.keep_records()

    html = client.get("/").content.decode()

    cards = re.findall(r'card-link-cover" href="[^"]*">([^<]*)', html)
    assert cards == ["Gains on paper", "Backtest only", "Too early", "Loses on paper", "Never trades"]
    words = " ".join(html.split())
    assert "in 60 days on paper since publication" in words
    assert "in 59 days on paper since</span>" in words
    assert words.count("Not on paper yet") == 1
    bot = Bot.objects.get(name="Too early")
    assert (bot.days_on_paper, bot.worst_drawdown_percent) == (59, 1.5)


def test_a_bot_is_known_to_trade_where_one_of_its_pairs_is() -> None:
    make_market()
    make_market(exchange="KRAKEN", trading_pair="ETH/EUR")
    for name, pairs in (("Any", []), ("Two", ["BTC/USDT", "DOGE/USDT"]), ("None", ["DOGE/USDT"])):
        make_bot(name=name, trading_pairs=pairs)

    tasks.keep_records()

    there = dict(Bot.objects.values_list("name", "exchanges"))
    assert there == {"Any": ["BINANCE", "KRAKEN"], "Two": ["BINANCE"], "None": []}


def test_lists_show_no_record_of_another_version(client: Client) -> None:
    make_market()
    bot = make_bot()
    make_record(bot)
    assert "<polyline" in client.get("/").content.decode()

    publish_version(bot=bot, number="v1.1.0", code="")

    assert "<polyline" not in client.get("/").content.decode()
    assert "Being measured" in page(client, bot)


def test_a_bot_is_ranked_by_no_version_that_another_took_the_place_of(client: Client) -> None:
    bot = make_bot()
    record = {"version": "v1.0.0", "line": [1.0, 2.0], "total_return_percent": 1.0}
    figures: dict[str, Any] = {"record_score": 90.0, "days_on_paper": 200, "worst_drawdown_percent": 12.0}
    Bot.objects.update(record=record, **figures)
    forget_former()
    bot.refresh_from_db()
    assert (bot.record, bot.days_on_paper) == (record, 200)

    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)
    forget_former()

    bot.refresh_from_db()
    assert (bot.record_score, bot.days_on_paper, bot.worst_drawdown_percent) == (None, None, None)
    assert bot.record == record  # which lists show of that version alone


def test_what_other_versions_made_on_paper_stays_in_sight(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bot = make_bot()
    old = bot.versions.get()
    figures = {"total_return_percent": -40.0, "max_drawdown_percent": 45.0}
    BotRecord.objects.create(
        version=old, kind="FORWARD", days=200, figures=figures, line=[1.0, 0.6], measured_at=timezone.now()
    )
    publish_version(bot=bot, number="v1.1.0", code=BUYING_BOT)
    retire(version=old)

    with django_assert_num_queries(RECORD_QUERIES):  # no run whose worth is asked for, and their records
        shown = page(client, bot)

    assert "Its other versions" in shown
    assert "\N{MINUS SIGN}40" in shown and "in 200 days" in shown
    assert "No longer offered" in shown


def test_who_had_a_bot_still_reads_its_records_and_is_promised_nothing(client: Client, bob: User) -> None:
    bot = make_bot()
    make_subscription(bob, bot=bot)
    BotVersion.objects.update(state="RETIRED")
    draft = BotVersion.objects.create(bot=bot, number="v2.0.0", state="DRAFT", release_notes="Secret plan")
    address = bot.get_absolute_url()
    assert client.get(address).status_code == 404

    client.force_login(bob)
    shown, records = client.get(address).text, client.get(f"{address}records/").text

    assert "You see this page because you subscribed to it" in shown
    assert f'href="{address}records/"' in shown and "None is offered any more" in shown
    assert draft.number not in shown and "Secret plan" not in shown
    assert "It was not measured while it was offered" in records
    assert "It was not run while it was offered" in records
    Bot.objects.update(state="SUSPENDED")
    assert client.get(address).status_code == 404


def test_the_records_stand_apart_and_say_what_is_missing(client: Client, alice: User) -> None:
    html = page(client, make_bot(alice))

    for heading in ("Backtest by the marketplace", "On paper since its publication", "What subscribers got"):
        assert heading in html
    assert html.count("<strong>n/a</strong>") == 3
    assert "Promises" not in html


def test_promises_are_held_against_our_backtest(client: Client) -> None:
    make_market()
    bot = make_bot(promised_trades_per_week=Decimal(3), promised_max_drawdown_percent=Decimal(10))
    assert "<td>n/a</td><td>n/a</td>" in page(client, bot)

    make_record(bot, metrics={"trades_per_week": 1.42, "max_drawdown_percent": 8.0})

    html = page(client, bot)
    assert '<td>1.4 a week <span class="text-loss">Broken</span></td><td>n/a</td>' in html
    assert "at most 10 %</td>" in html
    assert html.count(">Kept</span>") == 1


def make_performance(bot: Bot, total: float, days: int = 10, trader: User | None = None) -> None:
    subscription = make_subscription(trader, bot=bot)
    SubscriptionPerformance.objects.create(
        subscription=subscription,
        measured_at=NOW,
        measured_until=NOW,
        metrics={"total_return_percent": total},
        daily={"start_on": "2026-02-27", "equity": [1.0] * (days + 1), "market": [1.0] * (days + 1)},
        trades=0,
        execution={},
    )


def test_what_subscribers_got_is_summed_up_from_five_traders_on(
    client: Client, alice: User, bob: User
) -> None:
    bot = make_bot(alice)
    for total in (-10, -2, 1, 4):
        make_performance(bot, total)
    make_performance(bot, 900, trader=alice)  # the developer's own
    make_performance(bot, 500, days=6)
    records.measure_subscribers(NOW)
    assert "Too few" in page(client, bot)

    for total in (20, 30, 900):  # he counts once, with what is in the middle
        make_performance(bot, total, trader=bob)
    records.measure_subscribers(NOW)

    found = BotRecord.objects.get(kind="SUBSCRIBERS")
    assert found.figures == {"traders": 5, "lower": -2, "median": 1, "upper": 4}
    assert "total returns of 5 traders" in page(client, bot)


def test_five_subscriptions_of_one_trader_are_too_few(bob: User) -> None:
    bot = make_bot()
    for _ in range(5):
        make_performance(bot, 1, trader=bob)

    records.measure_subscribers(NOW)

    assert not BotRecord.objects.exists()


def test_results_that_have_become_too_few_are_shown_no_more(alice: User) -> None:
    bot = make_bot(alice)
    for total in range(5):
        make_performance(bot, total)
    records.measure_subscribers(NOW)
    SubscriptionPerformance.objects.first().delete()  # type: ignore[union-attr]

    records.measure_subscribers(NOW)

    assert not BotRecord.objects.exists()


def test_the_bots_page_pulls_the_records_in(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_market()
    bot = make_bot()
    forward_runs.keep()
    make_forward_record(bot, days=3)
    html = client.get(bot.get_absolute_url()).content.decode()
    assert f'hx-get="/bots/{bot.slug}/records/"' in html
    assert f'<a href="/bots/{bot.slug}/records/">' in html

    with django_assert_num_queries(RECORD_QUERIES):
        part = page(client, bot, **{"HX-Request": "true"})

    assert part.startswith('<section class="records"')


def test_records_of_a_bot_that_is_not_listed_are_nowhere(client: Client) -> None:
    bot = make_bot()
    Bot.objects.update(state=Bot.State.SUSPENDED)

    assert client.get(f"/bots/{bot.slug}/records/").status_code == 404


def test_a_line_is_thinned_to_its_first_and_last_value() -> None:
    assert record_lines.thinned([1.0, 2.0]) == [1.0, 2.0]
    assert record_lines.thinned(list(range(100)), 4) == [0, 33, 66, 99]


def test_a_withdrawn_version_is_not_measured() -> None:
    make_market()
    make_bot()
    BotVersion.objects.update(state="PULLED")

    tasks.keep_records()

    assert not Backtest.objects.exists()


def test_what_speaks_against_a_bot_is_said_from_its_facts(client: Client) -> None:
    make_market(taker_fee_fraction=Decimal("0.001"))
    bot = make_bot(price_per_month=Decimal(20), risk_defaults={"max_position_size": 20.0}, timeframes=["4h"])
    tasks.keep_records()
    make_forward_record(
        bot,
        days=12,
        total_return_percent=-3.0,
        buy_and_hold_percent=4.5,
        max_drawdown_percent=28.9,
        trades_per_week=35.2,
    )

    words = re.sub(r"<.*?>", "", page(client, bot, **{"HX-Request": "true"}))

    for line in (
        "you have less than 25.00 USDT: an order on BTC/USDT on Binance has to be worth 5.00 USDT, "
        "and it puts at most 20 % of its capital into a position.",
        "you want to trade a young coin: before it decides it needs 8.33 days of candles.",
        "you cannot stand seeing 28.9 % of your highest balance gone",
        "that gave +4.50 % in 12 days, and the bot −3.00 %.",
        "it makes about 35 trades a week, and each costs 0.2 % of what it moves",
        "its price is 2 % a month of 1 000.00 USD",
        "it has been on paper for 12 of 60 days",
    ):
        assert line in words


def test_the_statistics_count_what_is_gone_as_well(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert "Nothing was published yet" in client.get("/statistics/").content.decode()
    results = (
        (30.0, 20.0, "LISTED"),
        (-40.0, 60.0, "RETIRED"),
        (-2.0, 10.0, "SUSPENDED"),
        (5.0, 3.0, "LISTED"),
    )
    for total, drawdown, state in results:
        figures = {
            "total_return_percent": total,
            "max_drawdown_percent": drawdown,
            "buy_and_hold_percent": 8.0,
        }
        make_forward_record(make_bot(state=state), days=30, **figures)
    make_forward_record(make_bot(), days=6, total_return_percent=900.0)
    pulled = make_bot()
    BotVersion.objects.filter(bot=pulled).update(state="PULLED")
    make_bot(state=Bot.State.DRAFT).versions.update(published_at=None)

    with django_assert_num_queries(STATISTICS_QUERIES):
        words = " ".join(client.get("/statistics/").content.decode().split())

    assert "6 bots" in words
    for fate, count in (("Offered now", 3), ("Retired by their developers", 1), ("Suspended by staff", 1)):
        assert f"<dt>{fate}</dt><dd>{count}</dd>" in words
    everything, offered, gone = re.findall(r'<th scope="row">.*?</tr>', words)[:3]
    assert '"Measured">4</td>' in everything
    assert "+1.50" in everything
    assert '"Gained">2 of 4</td>' in everything
    assert '"More than buy and hold">1 of 4</td>' in everything
    assert "+17.50" in offered
    assert "21.00" in gone
    assert '"Gained">0 of 2</td>' in gone
