import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from bot_sdk.timeframes import duration
from exchanges import gateways, history
from exchanges.candle_store import Gap, asked_until, gaps, months, read, read_rows
from exchanges.errors import ExchangeUnavailable, RateLimited
from exchanges.gateway import CandleRow
from exchanges.models import Market
from exchanges.simulator.server import serve
from marketplace.settings import BASE_DIR, LOCAL_CANDLES
from tests.factories import make_market

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
NOW = datetime(2024, 3, 10, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    return keep_in(settings, tmp_path / "candles")


def keep_in(settings: Settings, place: Path) -> Path:
    local = LOCAL_CANDLES | {"OPTIONS": {"location": place}}
    settings.STORAGES = settings.STORAGES | {"candles": local}
    return place


@pytest.fixture
def market() -> Market:
    return make_market()


@dataclass
class Simulated:
    """A simulated exchange over HTTP, whose time the test sets, and the candles that it was asked for."""

    url: str = ""
    now: datetime = NOW
    asked: list[str] = field(default_factory=list)
    on_asked: Callable[[], None] = lambda: None

    def see(self, path: str) -> None:
        if "/klines" in path or "/OHLC" in path:
            self.asked.append(path)
            self.on_asked()

    def begins(self) -> list[datetime]:
        """From when on Binance was asked each time."""
        stamps = [int(parse_qs(urlsplit(path).query)["startTime"][0]) for path in self.asked]
        return [datetime.fromtimestamp(stamp / 1000, UTC) for stamp in stamps]


@pytest.fixture
def exchange(settings: Settings) -> Iterator[Simulated]:
    simulated = Simulated()
    with serve(seed=5, clock=lambda: simulated.now, on_request=simulated.see) as url:
        simulated.url = url
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        gateways.public_gateway.cache_clear()
        yield simulated
        gateways.public_gateway.cache_clear()


def run(*arguments: str, screen: StringIO | None = None) -> str:
    """Return what the command reports at its end."""
    out = StringIO()
    call_command("download_candles", *arguments, stdout=out, stderr=screen or StringIO())
    return out.getvalue()


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))}


def test_all_months_are_brought_and_reported(exchange: Simulated, market: Market) -> None:
    screen = StringIO()

    report = run("BINANCE", "BTC/USDT", "1h,1d", "--since", "2024-02-10", screen=screen)

    assert months(market, "1h") == months(market, "1d") == [FEBRUARY, MARCH]
    hours, days = report.splitlines()
    assert hours == (
        f"BTC/USDT 1h: {(29 + 9) * 24 + 11} candles from 2024-02-01 00:00 UTC to 2024-03-10 10:00 UTC, "
        "without a gap."
    )
    assert days.startswith("BTC/USDT 1d: 38 candles from 2024-02-01 00:00 UTC to 2024-03-09")
    assert "BTC/USDT 1h: 696 new candles, asked until 2024-03-01 00:00 UTC\n" in screen.getvalue()


def test_the_candles_are_the_exchanges_to_the_last_digit(exchange: Simulated, market: Market) -> None:
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")

    gateway = gateways.public_gateway("BINANCE")
    assert read_rows(market, "1h", MARCH, NOW) == gateway.fetch_candles("BTC/USDT", "1h", MARCH, 227)


def test_a_second_run_asks_for_nothing(exchange: Simulated, market: Market, folder: Path) -> None:
    first = run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01")
    before = content(folder)
    exchange.asked.clear()

    assert run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01") == first

    assert exchange.asked == []
    assert content(folder) == before


def test_the_month_in_progress_goes_on_from_its_newest_candle(exchange: Simulated, market: Market) -> None:
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")
    exchange.asked.clear()
    exchange.now += 3 * HOUR

    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01", "--until", "2024-03-01")
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")

    assert exchange.begins() == [FEBRUARY, datetime(2024, 3, 10, 11, tzinfo=UTC)]
    assert len(read(market, "1h", FEBRUARY, exchange.now)) == (29 + 9) * 24 + 14


def test_a_candle_that_has_just_closed_is_left_for_the_next_time(exchange: Simulated, market: Market) -> None:
    """Shown late by the exchange, it would look like a hole that has been asked for."""
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")
    assert asked_until(market, "1h", MARCH) == NOW.replace(hour=11, second=0)

    exchange.now += timedelta(minutes=5)
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")

    assert asked_until(market, "1h", MARCH) == NOW.replace(hour=12, second=0)


def test_an_end_is_the_day_before_which_to_stop(exchange: Simulated, market: Market) -> None:
    report = run("BINANCE", "BTC/USDT", "4h", "--since", "2024-02-01", "--until", "2024-02-03")

    assert "12 candles from 2024-02-01 00:00 UTC to 2024-02-02 20:00 UTC" in report


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_whoever_watches_sees_a_bar(exchange: Simulated, market: Market) -> None:
    screen = Terminal()
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01", "--until", "2024-03-01")

    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01", screen=screen)

    assert "BTC/USDT 1h: 100%" in screen.getvalue()
    assert "923/923" in screen.getvalue()
    assert "asked until" not in screen.getvalue()


def start(exchange: Simulated, folder: Path) -> subprocess.Popen[str]:
    database, _, _ = os.environ["DATABASE_URL"].rpartition("/")
    environment = os.environ | {
        "DATABASE_URL": f"{database}/{connection.settings_dict['NAME']}",
        "MARKET_DATA": "simulator",
        "EXCHANGE_SIMULATOR_URL": exchange.url,
        "CANDLES_DIR": str(folder),
    }
    command = [sys.executable, "manage.py", "download_candles", "BINANCE", "BTC/USDT", "5m"]
    return subprocess.Popen(
        [*command, "--since", "2024-02-01"],
        cwd=BASE_DIR,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def kill_at(exchange: Simulated, child: subprocess.Popen[str], call: int) -> None:
    """Kill the child with its `call`th request, counted over all children, and wait for its end."""

    def kill() -> None:
        if len(exchange.asked) == call:
            child.kill()

    exchange.on_asked = kill
    child.communicate(timeout=300)
    assert child.returncode == -signal.SIGKILL
    exchange.on_asked = lambda: None


@pytest.mark.django_db(transaction=True)
def test_killed_again_and_again_it_leaves_the_same_files_as_without(
    exchange: Simulated, market: Market, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    run("BINANCE", "BTC/USDT", "5m", "--since", "2024-02-01")
    undisturbed, calls = content(folder), len(exchange.asked)
    killed = keep_in(settings, tmp_path / "killed")
    exchange.asked.clear()

    kill_at(exchange, start(exchange, killed), call=5)
    assert content(killed) == {}
    kill_at(exchange, start(exchange, killed), call=15)
    assert list(content(killed)) == ["BINANCE/BTC-USDT/5m/2024-02.parquet"]
    last = start(exchange, killed)
    output, _ = last.communicate(timeout=300)

    assert (last.returncode, content(killed)) == (0, undisturbed), output
    assert len(exchange.asked) == calls + 5 + 1


@dataclass
class Holed:
    """An exchange whose 1h candles the test chooses, and which fails as it says."""

    missing: set[datetime] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)
    candles_per_call: int = 100
    now: datetime = NOW
    asked: list[tuple[datetime, int]] = field(default_factory=list)

    def fetch_time(self) -> datetime:
        return self.now

    def fetch_candles(self, _pair: str, timeframe: str, since: datetime, limit: int) -> list[CandleRow]:
        if self.failures:
            raise self.failures.pop(0)
        self.asked.append((since, limit))
        openings = [since + index * duration(timeframe) for index in range(limit)]
        return [CandleRow(at, *[Decimal(1)] * 5) for at in openings if at not in self.missing]


def bring(
    market: Market, gateway: Any, since: datetime = FEBRUARY, waits: list[float] | None = None
) -> history.Report:
    """Download 1h candles and return the report; instead of waiting, note how long."""
    noted: list[float] = [] if waits is None else waits
    plan = history.plan(market, "1h", gateway, since=since, until=None, wait=noted.append)
    for _ in history.download(plan, gateway, noted.append):
        pass
    return history.report(plan)


def test_holes_of_the_exchange_are_kept_reported_and_asked_for_once(market: Market) -> None:
    missing = {MARCH + hour * HOUR for hour in (5, 30, 31, 32)} | {FEBRUARY + 100 * HOUR}
    exchange = Holed(missing)

    report = bring(market, exchange)
    asked = len(exchange.asked)
    again = bring(market, exchange)

    assert report == again
    assert report.gaps == [
        Gap(FEBRUARY + 100 * HOUR, FEBRUARY + 100 * HOUR, 1),
        Gap(MARCH + 5 * HOUR, MARCH + 5 * HOUR, 1),
        Gap(MARCH + 30 * HOUR, MARCH + 32 * HOUR, 3),
    ]
    assert len(exchange.asked) == asked
    assert missing.isdisjoint(read(market, "1h", FEBRUARY, NOW).index)


def test_the_time_before_a_listing_is_no_gap_and_asked_for_once(market: Market) -> None:
    listed_at = MARCH + 7 * HOUR
    exchange = Holed({FEBRUARY + hour * HOUR for hour in range(29 * 24 + 7)})

    report = bring(market, exchange)
    asked = len(exchange.asked)
    bring(market, exchange)

    assert (report.first, report.gaps) == (listed_at, [])
    assert months(market, "1h") == [FEBRUARY, MARCH]
    assert len(exchange.asked) == asked


def test_without_any_candle_there_is_nothing_to_report(market: Market) -> None:
    openings = {FEBRUARY + hour * HOUR for hour in range(1000)}

    assert bring(market, Holed(openings)) == history.Report(0, None, None, [])


def test_the_rate_budget_is_waited_for(market: Market) -> None:
    waits: list[float] = []
    exchange = Holed(failures=[RateLimited("Slow down.", 7), RateLimited("Slow down.", 70)])

    assert bring(market, exchange, waits=waits).gaps == []

    assert waits == [7, 70]


def test_an_exchange_that_stays_away_ends_it_and_what_came_is_stored(market: Market) -> None:
    exchange = Holed()
    bring(market, exchange, since=MARCH)
    exchange.failures = [ExchangeUnavailable("No answer.")] * 4
    waits: list[float] = []

    with pytest.raises(ExchangeUnavailable):
        bring(market, exchange, waits=waits)

    assert waits == list(history.PAUSES_SECONDS)
    assert months(market, "1h") == [MARCH]


class Dying(Holed):
    """The process ends at the `life`th call."""

    life = 0

    def fetch_candles(self, _pair: str, timeframe: str, since: datetime, limit: int) -> list[CandleRow]:
        self.life -= 1
        if self.life < 0:
            raise KeyboardInterrupt
        return super().fetch_candles(_pair, timeframe, since, limit)


def test_stopped_at_any_call_it_ends_with_the_same_files(
    market: Market, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CALLS_PER_WRITE", 2)
    missing = {MARCH + hour * HOUR for hour in (5, 99, 100, 101)}
    undisturbed = keep_in(settings, tmp_path / "undisturbed")
    exchange = Dying(missing)
    exchange.life = 1000
    bring(market, exchange)

    for life in range(len(exchange.asked)):
        stopped = keep_in(settings, tmp_path / f"stopped-{life}")
        dying = Dying(missing)
        dying.life = life
        with pytest.raises(KeyboardInterrupt):
            bring(market, dying)
        bring(market, Holed(missing))
        assert content(stopped) == content(undisturbed)


def test_kraken_is_asked_for_what_it_has_and_says_so(exchange: Simulated) -> None:
    market = make_market(exchange="KRAKEN", trading_pair="BTC/USDT")
    screen = StringIO()

    report = run("KRAKEN", "BTC/USDT", "1h", "--since", "2023-01-01", screen=screen)

    oldest = NOW.replace(second=0) - 719 * HOUR
    assert "Kraken gives its newest 720 candles only" in screen.getvalue()
    assert f"before {oldest:%Y-%m-%d %H:%M} UTC" in screen.getvalue()
    assert f"718 candles from {oldest:%Y-%m-%d %H:%M} UTC" in report
    assert len(exchange.asked) == len(months(market, "1h")) == 2


def test_what_kraken_no_longer_gives_is_a_gap() -> None:
    market = make_market(exchange="KRAKEN")
    exchange = Holed()
    bring(market, exchange)
    newest = NOW.replace(hour=10, second=0)
    exchange.now += timedelta(days=30)

    bring(market, exchange)

    oldest = newest + timedelta(days=30) - 717 * HOUR
    assert gaps(market, "1h", newest, oldest) == [Gap(newest + HOUR, oldest - HOUR, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("FTX BTC/USDT 1h --since 2024-02-01", "choose one of BINANCE, COINBASE, KRAKEN"),
        ("BINANCE BTCUSDT 1h --since 2024-02-01", "Expected pairs of BINANCE as base/quote.*BTCUSDT"),
        ("BINANCE BTC/USDT,NO/SUCH 1h --since 2024-02-01", "does not list NO/SUCH"),
        ("BINANCE BTC/USDT 2h --since 2024-02-01", "Expected timeframes of BINANCE, 1m, .* got '2h'"),
        ("COINBASE BTC/USD 4h --since 2024-02-01", "Expected timeframes of COINBASE, .* got '4h'"),
        ("BINANCE BTC/USDT , --since 2024-02-01", "expected one or more"),
        ("BINANCE BTC/USDT 1h --since yesterday", "expected a day such as 2024-01-31, got 'yesterday'"),
        ("BINANCE BTC/USDT 1h --since 2024-02-01 --until 2024-02-30", "expected a day such as"),
        ("BINANCE BTC/USDT 1h --since 2024-02-02 --until 2024-02-01", "Expected --until after --since"),
        ("BINANCE BTC/USDT 1h --since 2124-02-01", "in the future"),
        ("BINANCE BTC/USDT 1h --since 2024-02-01 --until 2124-02-01", "in the future"),
        ("BINANCE BTC/USDT 1h", "--since"),
    ],
)
def test_bad_input_says_what_was_expected(
    exchange: Simulated, market: Market, folder: Path, arguments: str, message: str
) -> None:
    make_market(exchange="COINBASE", trading_pair="BTC/USD")

    with pytest.raises(CommandError, match=message):
        run(*arguments.split())

    assert exchange.asked == []
    assert not folder.exists()


def test_an_exchange_that_does_not_answer_is_named_with_what_to_do(
    settings: Settings, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", "http://127.0.0.1:1"
    monkeypatch.setattr(history, "PAUSES_SECONDS", (0.0,))
    gateways.public_gateway.cache_clear()

    with pytest.raises(CommandError, match=r"BINANCE did not answer(.|\n)*run this again to go on"):
        run("BINANCE", "BTC/USDT", "1h", "--since", "2024-02-01")
    gateways.public_gateway.cache_clear()


def test_a_spoiled_file_is_an_error_of_the_command(exchange: Simulated, market: Market, folder: Path) -> None:
    run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")
    [file] = folder.rglob("*.parquet")
    file.write_bytes(b"nonsense")

    with pytest.raises(CommandError, match="2024-03.parquet is not the file .* delete it"):
        run("BINANCE", "BTC/USDT", "1h", "--since", "2024-03-01")

    assert file.read_bytes() == b"nonsense"
