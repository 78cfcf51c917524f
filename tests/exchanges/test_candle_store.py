"""The history of candles, by one contract in a local folder and in a bucket over S3's own protocol."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, storages
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from pytest_django.fixtures import Settings

from exchanges.candle_store import (
    Gap,
    WholeFileStorage,
    asked_until,
    gaps,
    month_after,
    month_of,
    months,
    read,
    read_rows,
    write_month,
)
from exchanges.candles import window
from exchanges.errors import CandleStoreError
from exchanges.gateway import CandleRow
from exchanges.models import Candle, Market
from marketplace.settings import CANDLE_STORAGE_OPTIONS, LOCAL_CANDLES
from tests.factories import make_market

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
APRIL = datetime(2024, 4, 1, tzinfo=UTC)
BUCKET = "trading-bot-storage"
KEY = "BINANCE/BTC-USDT/1h/2024-03.parquet"
FIGURES = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """The local folder, with the back end of the settings."""
    local = LOCAL_CANDLES | {"OPTIONS": {"location": tmp_path / "candles"}}
    settings.STORAGES = settings.STORAGES | {"candles": local}
    return tmp_path / "candles"


def use_bucket(settings: Settings, url: str) -> Any:
    keys = {"access_key": "testing", "secret_key": "testing"}
    options = {**CANDLE_STORAGE_OPTIONS, **keys, "bucket_name": BUCKET, "endpoint_url": url}
    bucket = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"candles": bucket}
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
    )


@pytest.fixture
def bucket(settings: Settings, s3_url: str, folder: Path) -> Iterator[Any]:
    """An empty bucket in the folder's place; its value is a client of our own."""
    client = use_bucket(settings, s3_url)
    client.create_bucket(Bucket=BUCKET)
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])


@pytest.fixture(params=["folder", "bucket"])
def kept_in(request: pytest.FixtureRequest) -> str:
    place: str = request.param
    request.getfixturevalue(place)
    return place


@pytest.fixture
def market() -> Market:
    return make_market()


def row(opened_at: datetime, figure: Decimal | str | int = 1) -> CandleRow:
    return CandleRow(opened_at, *[Decimal(figure)] * 5)


def hours(first: int, last: int, figure: Decimal | str | int = 1) -> list[CandleRow]:
    """Candles opened from `first` to `last` hours after March began."""
    return [row(MARCH + hour * HOUR, figure) for hour in range(first, last + 1)]


def keep(market: Market, rows: list[CandleRow], *, begin: datetime = MARCH, end: datetime = APRIL) -> int:
    return write_month(market, "1h", month_of(begin), rows, asked_from=begin, asked_until=end)


def test_what_is_written_is_what_is_read(kept_in: str, market: Market) -> None:
    assert keep(market, hours(0, 3, "60000.12345678")) == 4

    assert read_rows(market, "1h", MARCH, APRIL) == hours(0, 3, "60000.12345678")
    assert storages["candles"].exists(KEY)
    assert (months(market, "1h"), months(market, "1d")) == ([MARCH], [])


def test_one_bucket_holds_candles_apart_from_bots_files(bucket: Any, market: Market) -> None:
    keep(market, hours(0, 3))

    assert bucket.head_object(Bucket=BUCKET, Key=f"candles/{KEY}")


figures = st.decimals(0, 10**20 - 1, places=18, allow_nan=False).map(abs)
any_rows = st.dictionaries(st.integers(0, 743), st.tuples(*[figures] * 5), max_size=30)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=any_rows)
def test_every_figure_comes_back_to_the_last_digit(
    folder: Path, market: Market, written: dict[int, Any]
) -> None:
    storages["candles"].delete(KEY)
    rows = [CandleRow(MARCH + hour * HOUR, *figures) for hour, figures in sorted(written.items())]

    keep(market, rows)

    assert read_rows(market, "1h", MARCH, APRIL) == rows
    frame = read(market, "1h", MARCH, APRIL)
    assert frame.to_numpy().tolist() == [[float(getattr(each, name)) for name in FIGURES] for each in rows]


def test_a_float_would_not_have_kept_a_days_volume_at_kraken() -> None:
    """The control arm: eight decimals of a coin that is traded by the million."""
    volume = Decimal("131072000.12345671")

    assert Decimal(repr(float(volume))) != volume


def test_arrows_own_cast_would_miss_the_nearest_float() -> None:
    """The control arm of the frame's figures."""
    price = Decimal("0.29")

    assert pa.scalar(price, pa.decimal128(38, 18)).cast(pa.float64()).as_py() != float(price)


def test_a_frame_has_the_form_of_the_live_window(folder: Path, market: Market) -> None:
    rows = hours(0, 5, "60000.12345678")
    keep(market, rows)
    for each in rows:
        Candle.objects.create(
            market=market, timeframe="1h", opened_at=each.opened_at, **{n: getattr(each, n) for n in FIGURES}
        )

    frame = read(market, "1h", MARCH + HOUR, MARCH + 4 * HOUR)

    pd.testing.assert_frame_equal(frame, window(market, "1h", MARCH + 4 * HOUR, 4), check_freq=False)


def test_nothing_stored_is_an_empty_frame_of_the_same_form(kept_in: str, market: Market) -> None:
    pd.testing.assert_frame_equal(read(market, "1h", MARCH, APRIL), window(market, "1h", APRIL, 9))


def test_a_range_goes_over_months_and_ends_with_its_last_candle(folder: Path, market: Market) -> None:
    keep(market, hours(0, 743))
    write_month(
        market,
        "1h",
        APRIL,
        hours(744, 750),
        asked_from=APRIL,
        asked_until=APRIL + 7 * HOUR,
    )

    openings = read(market, "1h", APRIL - 2 * HOUR, APRIL + HOUR).index

    assert list(openings) == [APRIL + hour * HOUR for hour in (-2, -1, 0, 1)]


def test_a_stored_candle_never_changes(kept_in: str, market: Market) -> None:
    keep(market, hours(0, 3, 7))

    assert keep(market, hours(2, 5, 8)) == 2

    assert read_rows(market, "1h", MARCH, APRIL) == hours(0, 3, 7) + hours(4, 5, 8)


def test_the_way_that_candles_arrived_leaves_no_trace(folder: Path, market: Market) -> None:
    keep(market, hours(0, 99))
    at_once = (folder / KEY).read_bytes()
    (folder / KEY).unlink()

    for first in range(0, 100, 25):
        begin, end = MARCH + first * HOUR, MARCH + (first + 25) * HOUR
        write_month(market, "1h", MARCH, hours(first, first + 24)[::-1], asked_from=begin, asked_until=end)
    keep(market, [], begin=MARCH)

    assert (folder / KEY).read_bytes() == at_once


def test_writing_what_is_known_writes_nothing(folder: Path, market: Market) -> None:
    keep(market, hours(0, 99))
    before = os.stat(folder / KEY).st_ino

    assert keep(market, hours(0, 99)) == 0

    assert os.stat(folder / KEY).st_ino == before


def test_gaps_are_named_from_edge_to_edge(kept_in: str, market: Market) -> None:
    keep(market, hours(2, 3) + hours(5, 6) + hours(10, 11))

    found = gaps(market, "1h", MARCH, MARCH + 12 * HOUR)

    edges = [(0, 1), (4, 4), (7, 9), (12, 12)]
    assert found == [Gap(MARCH + a * HOUR, MARCH + b * HOUR, b - a + 1) for a, b in edges]


def test_without_candles_all_is_one_gap_and_with_all_there_is_none(folder: Path, market: Market) -> None:
    last = APRIL - HOUR
    assert gaps(market, "1h", MARCH, last) == [Gap(MARCH, last, 744)]

    keep(market, hours(0, 743))

    assert gaps(market, "1h", MARCH, last) == []


@given(stored=st.sets(st.integers(0, 30)), first=st.integers(0, 30), length=st.integers(0, 30))
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gaps_and_candles_together_are_all_there_could_be(
    folder: Path, market: Market, stored: set[int], first: int, length: int
) -> None:
    storages["candles"].delete(KEY)
    keep(market, [row(MARCH + hour * HOUR) for hour in stored])

    found = gaps(market, "1h", MARCH + first * HOUR, MARCH + (first + length) * HOUR)

    missing = [gap.first + n * HOUR for gap in found for n in range(gap.count)]
    span = range(first, first + length + 1)
    assert missing == [MARCH + hour * HOUR for hour in span if hour not in stored]


def test_a_month_remembers_until_when_it_was_asked_for(kept_in: str, market: Market) -> None:
    assert asked_until(market, "1h", MARCH) == MARCH

    keep(market, [], end=MARCH + 5 * HOUR)
    assert asked_until(market, "1h", MARCH) == MARCH + 5 * HOUR
    keep(market, hours(0, 1), end=MARCH + 2 * HOUR)

    assert asked_until(market, "1h", MARCH) == MARCH + 5 * HOUR


def test_what_another_process_overwrote_does_not_become_a_hole(folder: Path, market: Market) -> None:
    keep(market, hours(0, 4), end=MARCH + 5 * HOUR)

    with pytest.raises(CandleStoreError, match="asked for until 2024-03-01 05:00 UTC.* run one at a time"):
        keep(market, hours(8, 9), begin=MARCH + 8 * HOUR, end=MARCH + 10 * HOUR)

    assert read_rows(market, "1h", MARCH, APRIL) == hours(0, 4)


@pytest.mark.parametrize(
    ("rows", "end"),
    [
        ([row(MARCH - HOUR)], APRIL),
        ([row(APRIL)], APRIL),
        ([row(MARCH + HOUR)], MARCH + HOUR),
        ([row(MARCH + HOUR / 2)], APRIL),
        ([], APRIL + HOUR),
        ([], MARCH),
    ],
)
def test_what_does_not_belong_into_the_month_is_refused(
    market: Market, rows: list[CandleRow], end: datetime
) -> None:
    with pytest.raises(ValueError, match="Expected"):
        keep(market, rows, end=end)

    assert months(market, "1h") == []


@pytest.mark.parametrize("figure", ["1e-19", "1e20"])
def test_a_figure_that_does_not_fit_is_refused_and_not_rounded(market: Market, figure: str) -> None:
    with pytest.raises(CandleStoreError, match="the exchange sent more"):
        keep(market, hours(0, 0, figure))


def as_floats(content: bytes) -> bytes:
    table = pq.read_table(BytesIO(content))
    changed = BytesIO()
    pq.write_table(table.set_column(1, "open", table["open"].cast(pa.float64())), changed)
    return changed.getvalue()


def nothing(_content: bytes) -> bytes:
    return b""


def without_its_end(content: bytes) -> bytes:
    return content[:-9]


@pytest.mark.parametrize("harm", [nothing, without_its_end, as_floats])
def test_a_spoiled_file_is_named_with_what_to_do(
    kept_in: str, market: Market, harm: Callable[[bytes], bytes]
) -> None:
    keep(market, hours(0, 99))
    with storages["candles"].open(KEY) as file:
        content = file.read()
    storages["candles"].save(KEY, ContentFile(harm(content)))

    for use in (lambda: read(market, "1h", MARCH, APRIL), lambda: keep(market, hours(100, 101))):
        with pytest.raises(CandleStoreError, match=f"{KEY} is not the file .* or delete it and run download"):
            use()


def test_a_spoiled_byte_is_noticed_or_changes_no_candle(folder: Path, market: Market) -> None:
    rows = [row(MARCH + hour * HOUR, hour * hour) for hour in range(100)]
    keep(market, rows)
    whole = (folder / KEY).read_bytes()
    noticed = 0

    for place in range(0, len(whole), 7):
        spoiled = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (folder / KEY).write_bytes(spoiled)
        try:
            assert read_rows(market, "1h", MARCH, APRIL) == rows
        except CandleStoreError:
            noticed += 1

    assert noticed > 100


def test_another_markets_file_is_not_taken_for_ours(folder: Path, market: Market) -> None:
    other = make_market(trading_pair="ETH/USDT")
    keep(market, hours(0, 3))
    target = folder / "BINANCE/ETH-USDT/1h/2024-03.parquet"
    target.parent.mkdir(parents=True)
    (folder / KEY).rename(target)

    with pytest.raises(CandleStoreError, match="its description"):
        read(other, "1h", MARCH, APRIL)


def test_a_foreign_file_in_the_folder_is_no_month(folder: Path, market: Market) -> None:
    keep(market, hours(0, 3))
    for name in ("notes.txt", "tmp1.part", "2024-3.parquet"):
        (folder / KEY).with_name(name).touch()

    assert months(market, "1h") == [MARCH]


def test_a_storage_that_cannot_be_reached_says_so(settings: Settings, market: Market) -> None:
    use_bucket(settings, "http://127.0.0.1:9")

    for use in (lambda: read(market, "1h", MARCH, APRIL), lambda: months(market, "1h")):
        with pytest.raises(CandleStoreError, match="see that the folder or the bucket is there"):
            use()


class BrokenOff(ContentFile):
    """Content in whose middle the process ends."""

    def read(self, *_size: Any) -> bytes:
        if self.tell():
            raise KeyboardInterrupt
        part: bytes = super().read(3)
        return part

    def chunks(self, *_size: Any) -> Iterator[bytes]:
        yield self.read()
        yield self.read()


@pytest.mark.parametrize(
    ("make_storage", "left"),
    [
        (WholeFileStorage, b"the old file"),
        # the control arm
        (lambda location: FileSystemStorage(location=location, allow_overwrite=True), b"the"),
    ],
)
def test_a_write_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, make_storage: Callable[[Path], FileSystemStorage], left: bytes
) -> None:
    storage = make_storage(tmp_path)
    storage.save("a/file", ContentFile(b"the old file"))

    with pytest.raises(KeyboardInterrupt):
        storage.save("a/file", BrokenOff(b"the new file"))

    assert (tmp_path / "a/file").read_bytes() == left
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["file"]


def test_months_follow_each_other_over_the_year() -> None:
    assert month_after(datetime(2023, 12, 1, tzinfo=UTC)) == datetime(2024, 1, 1, tzinfo=UTC)
    assert month_after(MARCH) == APRIL
    assert month_of(datetime.fromisoformat("2024-04-01T01:00+02:00")) == MARCH
