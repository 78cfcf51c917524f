import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from exchanges import archiving, candle_store, tasks
from exchanges.archiving import archive
from exchanges.errors import CandleStoreError
from exchanges.gateway import CandleRow
from exchanges.models import Candle, Market
from tests.factories import make_market

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture
def market() -> Market:
    return make_market()


@pytest.fixture(autouse=True)
def keep_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "KEEP_CANDLES", 100)


def store(market: Market, first: datetime, last: datetime) -> None:
    hours = range((last - first) // HOUR + 1)
    Candle.objects.bulk_create(
        Candle(
            market=market,
            timeframe="1h",
            opened_at=first + hour * HOUR,
            open=Decimal("1.1"),
            high=Decimal("1.3"),
            low=Decimal("1.0000000001"),
            close=Decimal("1.2") + hour,
            volume=hour,
        )
        for hour in hours
    )


def kept() -> list[datetime]:
    return list(Candle.objects.order_by("opened_at").values_list("opened_at", flat=True))


def test_whole_old_months_move_and_the_rest_stays(market: Market) -> None:
    store(market, JANUARY, NOW)
    closes = list(
        Candle.objects.filter(opened_at__lt=MARCH).order_by("opened_at").values_list("close", flat=True)
    )

    moved = archive(market, "1h", NOW)

    assert moved == len(closes) == (31 + 28) * 24
    assert kept()[0] == MARCH
    history = candle_store.read_rows(market, "1h", JANUARY, NOW)
    assert [row.close for row in history] == closes
    assert candle_store.gaps(market, "1h", JANUARY, MARCH - HOUR) == []
    assert archive(market, "1h", NOW) == 0


def test_a_month_whose_beginning_nobody_asked_for_stays(market: Market) -> None:
    store(market, JANUARY + 5 * HOUR, NOW)

    archive(market, "1h", NOW)

    assert kept()[0] == JANUARY + 5 * HOUR
    assert candle_store.months(market, "1h") == [FEBRUARY]


def test_a_month_that_the_history_had_begun_is_completed(market: Market) -> None:
    row = CandleRow(JANUARY, *[Decimal(1)] * 5)
    candle_store.write_month(market, "1h", JANUARY, [row], asked_from=JANUARY, asked_until=JANUARY + 5 * HOUR)
    store(market, JANUARY + 5 * HOUR, NOW)

    archive(market, "1h", NOW)

    assert kept()[0] == MARCH
    assert [gap.count for gap in candle_store.gaps(market, "1h", JANUARY, MARCH - HOUR)] == [4]


def test_whoever_is_killed_between_file_and_database_loses_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(market, JANUARY, NOW)
    before = len(kept())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archiving, "_require_stored", killed)
        archive(market, "1h", NOW)
    assert len(kept()) == before

    assert archive(market, "1h", NOW) == (31 + 28) * 24
    assert len(candle_store.read_rows(market, "1h", JANUARY, NOW)) == (31 + 28) * 24


def test_a_candle_that_differs_from_the_history_stays_and_is_named(market: Market) -> None:
    row = CandleRow(JANUARY, *[Decimal(7)] * 5)
    candle_store.write_month(market, "1h", JANUARY, [row], asked_from=JANUARY, asked_until=JANUARY + HOUR)
    store(market, JANUARY, NOW)

    with pytest.raises(CandleStoreError, match="1 candles of .* the first of 2026-01-01 00:00 UTC"):
        archive(market, "1h", NOW)

    assert kept()[0] == JANUARY


def test_the_task_goes_on_with_the_others(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    row = CandleRow(JANUARY, *[Decimal(7)] * 5)
    candle_store.write_month(market, "1h", JANUARY, [row], asked_from=JANUARY, asked_until=JANUARY + HOUR)
    other = make_market(trading_pair="ETH/USDT", base="ETH")
    for each in (market, other):
        store(each, JANUARY, NOW)

    tasks.archive_candles()

    assert not Candle.objects.filter(market=other, opened_at__lt=MARCH).exists()
    assert Candle.objects.filter(market=market, opened_at=JANUARY).exists()
    assert "are not in the history as they are in the database" in caplog.text


def history_of(market: Market) -> list[datetime]:
    rows = candle_store.read_rows(market, "1h", JANUARY, MARCH - HOUR)
    return [row.opened_at for row in rows]


def test_what_was_never_asked_for_is_not_archived_as_the_exchanges_hole(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "CATCH_UP_CANDLES", 200)
    tenth = JANUARY + 9 * 24 * HOUR
    store(market, JANUARY, tenth)
    store(market, FEBRUARY + 9 * 24 * HOUR, NOW)

    archive(market, "1h", NOW)

    assert candle_store.asked_until(market, "1h", JANUARY) == tenth + HOUR
    assert candle_store.asked_until(market, "1h", FEBRUARY) == FEBRUARY
    assert kept()[0] == FEBRUARY + 9 * 24 * HOUR


def test_a_hole_that_was_asked_for_is_the_exchanges(market: Market) -> None:
    store(market, JANUARY, JANUARY + 9 * 24 * HOUR)
    store(market, JANUARY + 19 * 24 * HOUR, NOW)

    archive(market, "1h", NOW)

    assert candle_store.asked_until(market, "1h", JANUARY) == FEBRUARY
    assert kept()[0] == MARCH


def test_candles_before_a_download_that_began_in_the_middle_of_the_month_move_too(market: Market) -> None:
    store(market, JANUARY, NOW)
    middle = JANUARY + 18 * 24 * HOUR
    values = Candle.objects.filter(opened_at__gte=middle, opened_at__lt=FEBRUARY).order_by("opened_at")
    rows = [CandleRow(*row) for row in values.values_list("opened_at", *archiving.FIGURES)]
    candle_store.write_month(market, "1h", JANUARY, rows, asked_from=JANUARY, asked_until=FEBRUARY)

    archive(market, "1h", NOW)

    assert history_of(market)[: 31 * 24] == [JANUARY + hour * HOUR for hour in range(31 * 24)]
    assert kept()[0] == MARCH


def test_a_candle_that_comes_while_its_month_is_archived_stays(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = JANUARY + 50 * HOUR
    store(market, JANUARY, NOW)
    Candle.objects.filter(opened_at=late).delete()
    wrote: list[bool] = []
    write = candle_store.write_month

    def write_and_collect(*args: Any, **kwargs: Any) -> int:
        added = write(*args, **kwargs)
        if not wrote:
            wrote.append(True)
            store(market, late, late)
        return added

    monkeypatch.setattr(candle_store, "write_month", write_and_collect)

    archive(market, "1h", NOW)

    assert late in [*kept(), *history_of(market)]


@pytest.mark.django_db(transaction=True)
def test_two_who_write_one_month_at_once_lose_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(market, JANUARY, NOW)
    first = Candle.objects.order_by("opened_at")[:10].values_list("opened_at", *archiving.FIGURES)
    rows = [CandleRow(*row) for row in first]
    threads: list[Thread] = []
    save = candle_store._save

    def archive_elsewhere() -> None:
        archive(market, "1h", NOW)
        connection.close()

    def save_slowly(*args: Any) -> None:
        if not threads:
            threads.append(Thread(target=archive_elsewhere))
            threads[0].start()
            time.sleep(0.5)
        save(*args)

    monkeypatch.setattr(candle_store, "_save", save_slowly)
    candle_store.write_month(market, "1h", JANUARY, rows, asked_from=JANUARY, asked_until=JANUARY + 10 * HOUR)
    threads[0].join()

    assert history_of(market) == [JANUARY + hour * HOUR for hour in range((31 + 28) * 24)]
    assert kept()[0] == MARCH
