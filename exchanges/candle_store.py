"""The history of candles as Parquet files: one per market, timeframe and month, in a folder or a bucket.

Keys are `{exchange}/{base}-{quote}/{timeframe}/{yyyy-mm}.parquet`. A stored candle never changes, and a hole
is a candle that is not there. Each file also says until when its month has been asked for, so that a hole
which the exchange itself has is asked for once.

Figures are decimal128(38, 18), as in the database, not float64: Kraken's volumes alone have up to 17
significant digits, and a float64 gives back no more than 15 for certain.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connection, transaction
from s3transfer.exceptions import RetriesExceededError

from bot_sdk.timeframes import duration, floor
from exchanges.errors import CandleStoreError
from exchanges.gateway import CandleRow
from exchanges.models import Market

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("open", "high", "low", "close", "volume")
FORMAT = "candles 1"
ASKED_UNTIL = b"asked_until"
FILE_NAME = re.compile(r"(\d{4})-(\d{2})\.parquet")
STORAGE_ERRORS = (OSError, Boto3Error, BotoCoreError, ClientError, RetriesExceededError)


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive candles that are not stored: the openings of the first and the last, and how many."""

    first: datetime
    last: datetime
    count: int


class WholeFileStorage(FileSystemStorage):
    """A local folder whose files are replaced as a whole: whoever is killed leaves the old one."""

    def __init__(self, location: str | Path) -> None:
        super().__init__(location=location, allow_overwrite=True)

    def _save(self, name: str, content: IO[bytes]) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete_on_close=False) as part:
            shutil.copyfileobj(content, part)
            part.flush()
            os.fsync(part.fileno())  # the name must not arrive on the disk before what it names
            os.chmod(part.name, self.file_permissions_mode or 0o644)
            os.replace(part.name, path)
        return name


def month_of(at: datetime) -> datetime:
    """Return the first moment, in UTC, of the month of the aware moment `at`."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(month: datetime) -> datetime:
    """Return the first moment of the following month."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def write_month(
    market: Market,
    timeframe: str,
    month: datetime,
    rows: Iterable[CandleRow],
    *,
    asked_from: datetime,
    asked_until: datetime,
) -> int:
    """Add the candles that are new to the month's file and return how many; those stored stay as they are.

    `month` is its first moment. The rows are all that the exchange has from `asked_from` to before
    `asked_until`, both openings of candles (the latter may be the next month's). A reader sees the old file
    or the new one. Raises ValueError for what does not belong into the month, and CandleStoreError when
    storage fails, when a figure has more than 18 decimals, and when nobody asked for what lies before
    `asked_from`: another process wrote meanwhile, and what is missing would look like the exchange's hole.
    """
    by_opening = {row.opened_at: row for row in rows}
    _require_openings(timeframe, [asked_until, *by_opening])
    _require_inside(month, asked_until, by_opening)
    key = _key(market, timeframe, month)
    with _alone_with(key):
        return _add(market, timeframe, month, by_opening, asked_from, asked_until)


def _add(  # noqa: PLR0917 - those of write_month
    market: Market,
    timeframe: str,
    month: datetime,
    by_opening: Mapping[datetime, CandleRow],
    asked_from: datetime,
    asked_until: datetime,
) -> int:
    key = _key(market, timeframe, month)
    stored, stored_until = _load(market, timeframe, month)
    if stored_until < asked_from:
        raise CandleStoreError(
            f"{key} was asked for until {stored_until:%Y-%m-%d %H:%M} UTC, and the new candles begin at "
            f"{asked_from:%Y-%m-%d %H:%M}. Another process writes it; run one at a time, and run this again."
        )
    merged = _merged(stored, _table(key, sorted(by_opening.values(), key=lambda row: row.opened_at)))
    added: int = merged.num_rows - stored.num_rows
    if added or asked_until > stored_until:
        _save(market, timeframe, month, merged, max(asked_until, stored_until))
    return added


@contextmanager
def _alone_with(key: str) -> Iterator[None]:
    """Let one process at a time read, change and write a file; the database keeps the turn."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"candles:{key}"])
        yield


def asked_until(market: Market, timeframe: str, month: datetime) -> datetime:
    """Return the opening of the first candle of the month that nobody asked for yet.

    It is the month's first moment when there is no file, and the next month's when nothing is left to ask.
    """
    return _load(market, timeframe, month, columns=[])[1]


def months(market: Market, timeframe: str) -> list[datetime]:
    """Return the first moments of the months that have a file, in order."""
    try:
        _, names = _storage().listdir(str(_folder(market, timeframe)))
    except FileNotFoundError:
        return []
    except STORAGE_ERRORS as error:
        raise _unreachable(str(_folder(market, timeframe))) from error
    found = [FILE_NAME.fullmatch(name) for name in names]
    return sorted(datetime(int(each[1]), int(each[2]), 1, tzinfo=UTC) for each in found if each)


def read(market: Market, timeframe: str, first: datetime, last: datetime) -> "pd.DataFrame":
    """Return the stored candles opened from `first` to `last`, both included; holes are left out, not filled.

    Columns open, high, low, close, volume (float64, each the nearest to the stored figure); index
    `opened_at`, UTC, ascending: the form of `exchanges.candles.window`. Raises CandleStoreError.
    """
    import pandas as pd  # noqa: PLC0415  for workers and commands; web processes stay small
    import pyarrow as pa  # noqa: PLC0415

    table = _read(market, timeframe, first, last)
    index = pd.DatetimeIndex(table["opened_at"].to_numpy(), name="opened_at").tz_localize("UTC")
    # by way of text, since Arrow's own cast of a decimal misses the nearest float for one figure in ten
    floats = {name: table[name].cast(pa.string()).cast(pa.float64()).to_numpy() for name in FIGURES}
    return pd.DataFrame(floats, index=index, columns=list(FIGURES), dtype="float64")


def read_rows(market: Market, timeframe: str, first: datetime, last: datetime) -> list[CandleRow]:
    """Return the stored candles opened from `first` to `last`, both included, as exact decimals, in order."""
    table = _read(market, timeframe, first, last)
    columns = (table[name].to_pylist() for name in ("opened_at", *FIGURES))
    return [CandleRow(at.astimezone(UTC), *figures) for at, *figures in zip(*columns, strict=True)]


def gaps(market: Market, timeframe: str, first: datetime, last: datetime) -> list[Gap]:
    """Return what is not stored of the candles opened from `first` to `last`, in order; [] if all are there.

    Both are openings of candles (ValueError otherwise). A gap may be the exchange's (nobody traded, it was
    down, the pair was not listed) or ours (nobody asked). Raises CandleStoreError.
    """
    import numpy as np  # noqa: PLC0415

    step = duration(timeframe)
    _require_openings(timeframe, [first, last])
    stored = _read(market, timeframe, first, last, columns=["opened_at"])["opened_at"].to_numpy()
    before, after = (at.astimezone(UTC).replace(tzinfo=None) for at in (first - step, last + step))
    edges = np.concatenate([np.array([before], stored.dtype), stored, np.array([after], stored.dtype)])
    # candles are many and gaps are few: only the latter's edges become datetimes
    holes = np.flatnonzero(np.diff(edges) > np.timedelta64(step))
    pairs = zip(edges[holes].tolist(), edges[holes + 1].tolist(), strict=True)
    return [_gap(before.replace(tzinfo=UTC), after.replace(tzinfo=UTC), step) for before, after in pairs]


def _gap(before: datetime, after: datetime, step: timedelta) -> Gap:
    return Gap(before + step, after - step, (after - before) // step - 1)


def _storage() -> Storage:
    return storages["candles"]


def _folder(market: Market, timeframe: str) -> PurePosixPath:
    # quoted, since an exchange names its assets as it likes
    pair = f"{quote(market.base, safe='')}-{quote(market.quote, safe='')}"
    return PurePosixPath(market.exchange, pair, timeframe)


def _key(market: Market, timeframe: str, month: datetime) -> str:
    return str(_folder(market, timeframe) / f"{month:%Y-%m}.parquet")


def _identity(market: Market, timeframe: str, month: datetime) -> dict[bytes, bytes]:
    """Return what the file says about itself, so that one that was moved or renamed is noticed."""
    text = {"format": FORMAT, "exchange": market.exchange, "trading_pair": market.trading_pair}
    text |= {"timeframe": timeframe, "month": f"{month:%Y-%m}"}
    return {name.encode(): value.encode() for name, value in text.items()}


def _read(
    market: Market, timeframe: str, first: datetime, last: datetime, columns: list[str] | None = None
) -> Any:
    """Return the stored candles opened from `first` to `last` as one Arrow table."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    parts = [_load(market, timeframe, month, columns)[0] for month in _months_between(first, last)]
    table = pa.concat_tables([_schema_of(columns).empty_table(), *parts])
    return table.filter((pc.field("opened_at") >= first) & (pc.field("opened_at") <= last))


def _months_between(first: datetime, last: datetime) -> Iterator[datetime]:
    month = month_of(first)
    while month <= last:
        yield month
        month = month_after(month)


def _load(
    market: Market, timeframe: str, month: datetime, columns: list[str] | None = None
) -> tuple[Any, datetime]:
    """Return the month's candles as an Arrow table, and until when it has been asked for."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    key = _key(market, timeframe, month)
    content = _content(key)
    if content is None:
        return _schema_of(columns).empty_table(), month
    try:
        file = pq.ParquetFile(BytesIO(content), page_checksum_verification=True)
        said = file.schema_arrow.metadata or {}
        expected = _identity(market, timeframe, month)
        if not file.schema_arrow.equals(_schema_of(None)) or expected.items() - said.items():
            raise ValueError(f"its columns or its description are not those of {key}")
        return file.read(columns), datetime.fromisoformat(said[ASKED_UNTIL].decode())
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise CandleStoreError(
            f"{key} is not the file of candles that was stored there ({error}). Put it back from a backup, "
            "or delete it and run download_candles for its month again."
        ) from error


def _content(key: str) -> bytes | None:
    """Return the object's bytes, or None when there is none."""
    try:
        with _storage().open(key) as file:
            content: bytes = file.read()
    except FileNotFoundError:
        return None
    except STORAGE_ERRORS as error:
        raise _unreachable(key) from error
    return content


def _save(market: Market, timeframe: str, month: datetime, table: Any, until: datetime) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    said = _identity(market, timeframe, month) | {ASKED_UNTIL: until.astimezone(UTC).isoformat().encode()}
    content = BytesIO()
    pq.write_table(
        table.replace_schema_metadata(said),
        content,
        compression="zstd",
        use_dictionary=False,  # prices seldom repeat; without it files are smaller and written faster
        column_encoding={"opened_at": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    key = _key(market, timeframe, month)
    try:
        saved = _storage().save(key, ContentFile(content.getvalue()))
    except STORAGE_ERRORS as error:
        raise _unreachable(key) from error
    assert saved == key, f"the storage of candles has to overwrite, and made {saved}"


def _unreachable(key: str) -> CandleStoreError:
    return CandleStoreError(
        f"{key} cannot be reached in the storage of candles; see that the folder or the bucket is there, and "
        "that we may read and write it. Then run this again."
    )


def _schema_of(columns: list[str] | None) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    fields = [pa.field("opened_at", pa.timestamp("us", tz="UTC"), nullable=False)]
    fields += [pa.field(name, pa.decimal128(38, 18), nullable=False) for name in FIGURES]
    return pa.schema([field for field in fields if columns is None or field.name in columns])


def _table(key: str, rows: list[CandleRow]) -> Any:
    import pyarrow as pa  # noqa: PLC0415

    schema = _schema_of(None)
    try:
        values = {name: [getattr(row, name) for row in rows] for name in schema.names}
        return pa.table(values, schema=schema)
    except pa.ArrowInvalid as error:
        raise CandleStoreError(
            f"{key} holds 20 digits before the point and 18 after it; the exchange sent more ({error})."
        ) from error


def _merged(stored: Any, new: Any) -> Any:
    """Return the stored candles and those of `new` that open at other times, in order of time."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    is_stored = pc.is_in(new["opened_at"], value_set=stored["opened_at"])
    merged = pa.concat_tables([stored, new.filter(pc.invert(is_stored))]).sort_by("opened_at")
    return merged.combine_chunks()  # the same candles are then the same file, however they arrived


def _require_openings(timeframe: str, times: Iterable[datetime]) -> None:
    for at in times:
        if floor(timeframe, at) != at:
            raise ValueError(f"Expected the opening of a {timeframe} candle, got {at.isoformat()}.")


def _require_inside(month: datetime, end: datetime, openings: Iterable[datetime]) -> None:
    if month_of(month) != month or not month < end <= month_after(month):
        raise ValueError(f"Expected a month and an end in it, got {month.isoformat()}, {end.isoformat()}.")
    for at in openings:
        if not month <= at < end:
            raise ValueError(
                f"Expected a candle from {month.isoformat()} to before {end.isoformat()}, "
                f"got {at.isoformat()}."
            )
