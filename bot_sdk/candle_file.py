"""Read a developer's CSV file of candles, and say precisely what is wrong with it."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_TIME_NAMES = ("opened_at", "timestamp", "date", "time")
_PRICE_NAMES = ("open", "high", "low", "close")
_NUMBER_NAMES = (*_PRICE_NAMES, "volume")
# An epoch count below the limit is in this unit: as seconds, the first limit is in the year 5138.
_EPOCH_UNITS: tuple[tuple[float, Literal["s", "ms", "us"]], ...] = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))


class CandleFileError(ValueError):
    """A file that holds no usable candles; the message names the row and says what to change."""


def read_candles(path: Path) -> pd.DataFrame:
    """Return the file's candles as `add_indicators` expects them: float64, indexed by `opened_at` in UTC.

    The header has open, high, low, close, volume and opened_at (or else timestamp, date or time), in any
    order and case; other columns are left out. Times are ISO 8601, UTC when they name no zone, or epoch
    seconds, milliseconds or microseconds, oldest first. Raises CandleFileError; its rows count from 1 below
    the header.
    """
    table = _read_table(path)
    _check_columns(table)
    candles = pd.DataFrame({name: _numbers(table[name], name) for name in _NUMBER_NAMES})
    _check_prices(candles)
    time_name = next(name for name in _TIME_NAMES if name in table.columns)
    opened_at = pd.DatetimeIndex(_times(table[time_name]), name="opened_at")
    _check_order(opened_at)
    return candles.set_index(opened_at)


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise CandleFileError(f"No file at {path}: pass the path of a CSV file with candles.")
    try:
        table = pd.read_csv(path)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise CandleFileError(f"{path} is not a CSV file with a header: {error}") from error
    table.columns = pd.Index([str(name).strip().lower() for name in table.columns])
    if table.empty:
        raise CandleFileError(f"{path} has no candles below its header.")
    return table


def _check_columns(table: pd.DataFrame) -> None:
    missing = [name for name in _NUMBER_NAMES if name not in table.columns]
    if not any(name in table.columns for name in _TIME_NAMES):
        missing.append(" or ".join(_TIME_NAMES))
    if missing:
        raise CandleFileError(
            f"Missing columns: {', '.join(missing)}. The header has {', '.join(table.columns)}; rename those."
        )
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise CandleFileError(f"The header has {repeated[0]} more than once; keep one of these columns.")


def _numbers(column: pd.Series, name: str) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    row = _first(~np.isfinite(numbers.to_numpy()))
    if row is not None:
        raise CandleFileError(
            f"Row {row + 1}: {name} is empty or not a number ({column.iloc[row]}); correct or remove the row."
        )
    return numbers


def _check_prices(candles: pd.DataFrame) -> None:
    prices = candles.loc[:, list(_PRICE_NAMES)].to_numpy()
    row = _first((prices <= 0).any(axis=1) | (candles["volume"].to_numpy() < 0))
    if row is not None:
        raise CandleFileError(
            f"Row {row + 1}: prices must be above zero and the volume must not be below it; correct the row."
        )
    high, low = candles["high"].to_numpy(), candles["low"].to_numpy()
    row = _first((prices.max(axis=1) > high) | (prices.min(axis=1) < low))
    if row is not None:
        raise CandleFileError(
            f"Row {row + 1}: open and close must lie between low and high; correct the row."
        )


def _times(column: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(column):
        return _epoch_times(column)
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    row = _first(times.isna().to_numpy())
    if row is not None:
        raise CandleFileError(
            f"Row {row + 1}: {column.iloc[row]} is no time; write 2026-01-31T13:00:00Z or epoch milliseconds."
        )
    return times


def _epoch_times(counts: pd.Series) -> pd.Series:
    row = _first(~(counts.to_numpy(dtype="float64") >= 0))
    if row is not None:
        raise CandleFileError(f"Row {row + 1}: the time is empty or below zero; correct or remove the row.")
    for limit, unit in _EPOCH_UNITS:
        if counts.max() < limit:
            return pd.to_datetime(counts.astype("int64"), unit=unit, utc=True)
    raise CandleFileError(f"{counts.max()} is no time; write epoch seconds, milliseconds or microseconds.")


def _check_order(opened_at: pd.DatetimeIndex) -> None:
    row = _first(np.diff(opened_at.asi8) <= 0)
    if row is not None:
        above, below = opened_at[row], opened_at[row + 1]
        raise CandleFileError(
            f"Row {row + 2}: {below} does not come after {above} above it; "
            "sort the file by time, oldest first, each candle once."
        )


def _first(wrong: NDArray[np.bool_]) -> int | None:
    return int(wrong.argmax()) if wrong.any() else None
