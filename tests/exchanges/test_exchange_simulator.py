import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from signal import SIGTERM
from typing import Any

import numpy as np
import pytest
import requests
import talib
from django.core.management import CommandError, call_command
from numpy.typing import NDArray

from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.paths import TRADES_PER_MINUTE, log_prices
from exchanges.simulator.server import serve
from tests.exchanges.replay import differences, recorded

NOON = datetime(2026, 3, 2, 12, 0, 17, tzinfo=UTC)
MINUTE_MS = 60_000


def noon() -> datetime:
    return NOON


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(seed=5, clock=noon) as url:
        yield url


def get(url: str, path: str, **query: object) -> Any:
    reply = requests.get(f"{url}/api/v3/{path}", params={key: str(query[key]) for key in query}, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.json()


def klines(url: str, interval: str, symbol: str = "BTCUSDT", **query: object) -> list[list[Any]]:
    rows: list[list[Any]] = get(url, "klines", symbol=symbol, interval=interval, **query)
    return rows


def merged(rows: list[list[Any]]) -> list[object]:
    """The one larger candle that these rows make, by its definition."""
    sums = [sum(Decimal(row[column]) for row in rows) for column in (5, 7, 8, 9, 10)]
    high, low = max(Decimal(row[2]) for row in rows), min(Decimal(row[3]) for row in rows)
    return [rows[0][0], Decimal(rows[0][1]), high, low, Decimal(rows[-1][4]), *sums]


@pytest.mark.parametrize("symbol", LISTINGS)
@pytest.mark.parametrize(("small", "large", "ratio"), [("1m", "5m", 5), ("1m", "1h", 60), ("1h", "1d", 24)])
def test_small_candles_add_up_to_large_ones_to_the_last_digit(
    url: str, symbol: str, small: str, large: str, ratio: int
) -> None:
    day = milliseconds(datetime(2026, 2, 27, tzinfo=UTC))

    large_rows = klines(url, large, symbol, startTime=day, limit=6)
    small_rows = klines(url, small, symbol, startTime=day, limit=6 * ratio)[: 3 * ratio]

    for index in range(3):
        assert merged(small_rows[index * ratio : (index + 1) * ratio]) == merged(
            large_rows[index : index + 1]
        )


def test_the_candle_in_progress_holds_what_happened_so_far() -> None:
    moment = [NOON]
    with serve(seed=5, clock=lambda: moment[0]) as url:
        early = klines(url, "1m", limit=1)[0]
        moment[0] += timedelta(seconds=40)
        late = klines(url, "1m", limit=1)[0]
        moment[0] += timedelta(minutes=1)
        closed = klines(url, "1m", limit=2)[0]

    opened_at = milliseconds(NOON.replace(second=0))
    assert early[0] == late[0] == closed[0] == opened_at
    assert early[1] == late[1] == closed[1]
    assert Decimal(early[2]) <= Decimal(late[2]) <= Decimal(closed[2])
    assert Decimal(early[5]) < Decimal(late[5]) < Decimal(closed[5])


def test_the_last_price_is_the_close_of_the_candle_in_progress(url: str) -> None:
    closes = {interval: klines(url, interval, limit=1)[0][4] for interval in ("1m", "1h", "1d")}

    assert set(closes.values()) == {get(url, "ticker/price", symbol="BTCUSDT")["price"]}


def test_a_restart_shows_the_same_market_and_another_seed_another_one(url: str) -> None:
    with serve(seed=5, clock=noon) as again, serve(seed=6, clock=noon) as other:
        here, there, elsewhere = (klines(each, "1m", limit=300) for each in (url, again, other))
        books = [get(each, "depth", symbol="ETHUSDT", limit=20) for each in (url, again)]

    assert here == there
    assert books[0] == books[1]
    assert here != elsewhere


def test_history_is_the_same_whenever_it_is_asked_for(url: str) -> None:
    with serve(seed=5, clock=lambda: NOON + timedelta(days=400)) as later:
        then = klines(later, "1h", endTime=milliseconds(NOON) - 3_600_000, limit=50)

    assert then == klines(url, "1h", endTime=milliseconds(NOON) - 3_600_000, limit=50)


def test_history_begins_at_the_listing(url: str) -> None:
    rows = klines(url, "1d", startTime=0, limit=3)

    assert [row[0] for row in rows] == [milliseconds(datetime(2020, 1, day, tzinfo=UTC)) for day in (1, 2, 3)]
    assert klines(url, "1d", endTime=rows[0][0] - 1) == []


@pytest.mark.parametrize("symbol", LISTINGS)
def test_candles_are_whole_ticks_and_steps_in_order(url: str, symbol: str) -> None:
    listing = LISTINGS[symbol]

    rows = klines(url, "1m", symbol, limit=1000)

    assert [row[0] for row in rows] == [rows[0][0] + index * MINUTE_MS for index in range(1000)]
    for row in rows:
        opened, high, low, close = (Decimal(value) for value in row[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert not any(price % listing.tick for price in (opened, high, low, close))
        assert Decimal(row[5]) % listing.step == 0
        assert low * Decimal(row[5]) <= Decimal(row[7]) <= high * Decimal(row[5])


def test_the_market_moves_and_calm_and_lively_minutes_cluster(url: str) -> None:
    closes = [float(row[4]) for row in klines(url, "1m", limit=1000)]
    moves = [abs(after / before - 1) for before, after in zip(closes, closes[1:], strict=False)]
    usual = sum(moves) / len(moves)

    lively = [move > usual for move in moves]
    stays_lively = sum(now and before for before, now in zip(lively, lively[1:], strict=False)) / sum(lively)

    assert 0.0002 < usual < 0.002
    assert stays_lively > 1.15 * sum(lively) / len(lively)


def test_someone_who_watches_the_demo_bots_sees_them_trade() -> None:
    low_in_the_bands, oversold, crossings = [], [], []
    for seed in range(4):
        days = [log_prices(seed, "BTCUSDT", day) for day in range(20_600, 20_602)]
        closes = np.exp(np.concatenate(days))[TRADES_PER_MINUTE - 1 :: TRADES_PER_MINUTE]
        upper, _, lower = talib.BBANDS(closes, 20)
        low_in_the_bands.append(share_within(10, closes < lower + 0.3 * (upper - lower)))
        oversold.append(share_within(20, talib.RSI(closes, 14) < 30))
        is_above = (talib.SMA(closes, 5) > talib.SMA(closes, 20))[20:]
        crossings.append(np.mean(is_above[1:] != is_above[:-1]))

    assert np.mean(low_in_the_bands) > 0.6, "a BUY of the Bollinger bot within 10 minutes, from any moment"
    assert np.mean(oversold) > 0.35, "a BUY of the RSI bot within 20 minutes"
    assert 12 < 1 / np.mean(crossings) < 20, "minutes between two crossings of averages"


def share_within(minutes: int, wanted: NDArray[np.bool_]) -> float:
    """Return the share of moments after which something wanted comes within so many minutes."""
    starts = range(100, len(wanted) - minutes)
    return float(np.mean([wanted[start : start + minutes].any() for start in starts]))


def test_three_markets_in_a_circle_agree(url: str) -> None:
    price = {symbol: Decimal(get(url, "ticker/price", symbol=symbol)["price"]) for symbol in LISTINGS}

    implied = price["ETHUSDT"] / price["BTCUSDT"]

    assert abs(price["ETHBTC"] - implied) <= LISTINGS["ETHBTC"].tick


@pytest.mark.parametrize("symbol", LISTINGS)
def test_the_book_is_sorted_and_its_best_levels_are_the_ticker(url: str, symbol: str) -> None:
    book = get(url, "depth", symbol=symbol, limit=50)
    best = get(url, "ticker/bookTicker", symbol=symbol)
    last = Decimal(get(url, "ticker/price", symbol=symbol)["price"])

    bids, asks = ([Decimal(level[0]) for level in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert (Decimal(best["bidPrice"]), Decimal(best["askPrice"])) == (bids[0], asks[0])
    assert bids[0] < asks[0]
    assert bids[0] <= last <= asks[0]


def test_the_days_ticker_sums_up_its_minutes(url: str) -> None:
    ticker = get(url, "ticker/24hr", symbol="SOLUSDT")
    minutes = klines(url, "1m", "SOLUSDT", limit=1000, startTime=milliseconds(NOON - timedelta(days=1)))
    minutes += klines(url, "1m", "SOLUSDT", limit=440)

    assert len({row[0] for row in minutes}) == 1440
    whole = merged(minutes)
    names = ("openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume")
    assert [Decimal(ticker[name]) for name in names] == whole[1:7]
    assert ticker["count"] == whole[7]


def test_start_end_and_limit_choose_candles_as_the_real_exchange_does(url: str) -> None:
    start = milliseconds(NOON.replace(hour=3, second=0))

    def opened(**query: int) -> list[int]:
        return [(row[0] - start) // MINUTE_MS for row in klines(url, "1m", "BTCUSDT", **query)]

    assert opened(startTime=start, limit=3) == [0, 1, 2]
    assert opened(startTime=start + 1, limit=2) == [1, 2]
    assert opened(endTime=start, limit=3) == [-2, -1, 0]
    assert opened(startTime=start, endTime=start + 2 * MINUTE_MS) == [0, 1, 2]
    assert opened(startTime=start, endTime=start - 1) == []
    assert opened(startTime=10**19) == []
    assert len(opened()) == 500
    assert len(opened(limit=5000)) == 1000


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("klines?interval=1m", 400, -1102),
        ("klines?symbol=&interval=1m", 400, -1102),
        ("klines?symbol=NOPE&interval=1m", 400, -1121),
        ("klines?symbol=%00%ff&interval=1m", 400, -1121),
        ("klines?symbol=BTCUSDT", 400, -1102),
        ("klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("klines?symbol=BTCUSDT&interval=1m&limit=many", 400, -1100),
        ("klines?symbol=BTCUSDT&interval=1m&limit=-1", 400, -1100),
        ("klines?symbol=BTCUSDT&interval=1m&limit=0", 400, -1130),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=1e9", 400, -1100),
        ("depth?symbol=BTCUSDT&limit=" + "9" * 30, 400, -1100),
        ("ticker/24hr?symbol=btcusdt", 400, -1121),
        ("ticker/price?symbols=BTCUSDT", 400, -1100),
        ('ticker/price?symbols=["NOPE"]', 400, -1121),
        ("nonsense", 404, -1020),
    ],
)
def test_nonsense_is_refused_in_the_exchanges_own_words(url: str, path: str, status: int, code: int) -> None:
    reply = requests.get(f"{url}/api/v3/{path}", timeout=10)

    assert reply.status_code == status
    assert reply.json()["code"] == code
    assert reply.json()["msg"]


def test_what_needs_an_account_is_refused_without_a_key(url: str) -> None:
    reply = requests.post(f"{url}/api/v3/order", data={"symbol": "BTCUSDT"}, timeout=10)

    assert (reply.status_code, reply.json()["code"]) == (401, -2015)


SPOT = "nautilus/binance__spot__http_json__"


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("ping", "ping_response.json"),
        ("time", "server_time_response.json"),
        ("exchangeInfo", "exchange_info_response.json"),
        ("klines?symbol=BTCUSDT&interval=1m", "klines_response.json"),
        ("depth?symbol=BTCUSDT", "depth_response.json"),
        ("ticker/24hr?symbol=BTCUSDT", "ticker_24hr_response.json"),
        ("ticker/bookTicker?symbol=BTCUSDT", "book_ticker_response.json"),
        ("ticker/price?symbol=BTCUSDT", "ticker_price_response.json"),
    ],
)
def test_replies_have_the_keys_and_types_of_recorded_ones(url: str, path: str, recording: str) -> None:
    assert differences(recorded(SPOT + recording), get(url, path)) == []


def test_markets_have_the_keys_types_and_filters_of_recorded_ones(url: str) -> None:
    real = recorded("binance_exchangeInfo_real_2021.json")
    ours = get(url, "exchangeInfo")
    real_market = next(market for market in real["symbols"] if market["symbol"] == "BTCUSDT")
    our_market = next(market for market in ours["symbols"] if market["symbol"] == "BTCUSDT")

    assert differences(real, ours) == []
    assert differences(real_market, our_market) == []
    for market in (real_market, our_market):
        market["filters"] = {each["filterType"]: each for each in market["filters"]}
    assert differences(real_market["filters"], our_market["filters"]) == []


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "manage.py", "exchange_simulator", "--port", "0", "--seed", "5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    announced = process.stdout.readline()

    url = next(word for word in announced.split() if word.startswith("http://127.0.0.1:"))
    assert get(url, "ping") == {}
    process.send_signal(SIGTERM)
    _, errors = process.communicate(timeout=300)

    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_named(url: str) -> None:
    port = url.rpartition(":")[2]
    command = [sys.executable, "manage.py", "exchange_simulator", "--port", port]

    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert process.returncode == 1
    assert f"Port {port} cannot be used" in process.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--speed", "0"], "more than 0"),
        (["--seed", "-1"], "expected 0 or more"),
        (["--candles", "DOGE/EUR=x.csv"], "with a pair of BTC/USDT"),
        (["--candles", "BTC/USDT"], "expected PAIR=FILE.csv"),
        (["--candles", "BTC/USDT=nowhere.csv"], "No file at nowhere.csv"),
        (["--start", "yesterday"], "expected a day such as"),
    ],
)
def test_the_command_says_what_it_expected(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("exchange_simulator", "--port", "0", *arguments)


def test_the_command_plays_a_file_of_candles_as_of_today(tmp_path: Path) -> None:
    hours = [datetime(2024, 3, day, hour, tzinfo=UTC) for day in (1, 2) for hour in range(24)]
    lines = [f"{hour.isoformat()},{100 + n},{102 + n},{99 + n},{101 + n},5" for n, hour in enumerate(hours)]
    (tmp_path / "btc.csv").write_text("\n".join(["opened_at,open,high,low,close,volume", *lines]))
    command = [sys.executable, "manage.py", "exchange_simulator", "--port", "0", "--start", "2024-03-02"]
    command += ["--candles", f"BTC/USDT={tmp_path / 'btc.csv'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        rows = klines(url, "1h", startTime=milliseconds(midnight - timedelta(hours=3)), limit=3)
        process.send_signal(SIGTERM)

    assert [[float(figure) for figure in row[1:6]] for row in rows] == [
        [100 + n, 102 + n, 99 + n, 101 + n, 5] for n in (21, 22, 23)
    ]
