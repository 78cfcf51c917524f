import math
import warnings
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_sdk.indicator_frame import IndicatorFrame
from bot_sdk.indicators import COLUMNS
from bot_sdk.process.frame import decode_frame, encode_frame
from bot_sdk.window import GrowingWindow
from tests.bot_sdk.samples import wavy_candles
from tests.bot_sdk.windows import ROWS, extend, grown

FIRST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
HOUR = 3_600_000_000


def plain(frame: Any) -> Any:
    """Turn the frame into what it stands for, as any use of it does that it has no answer to."""
    assert frame.attrs == {}
    assert type(frame) is pd.DataFrame
    return frame


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("rows", [0, 1, 2, 299, 300, 301, 700])
def test_a_frame_has_what_a_live_one_has_to_the_last_bit(rows: int, lazy: bool) -> None:
    live = IndicatorFrame(wavy_candles(rows)).window(300)

    frame = plain(grown(rows, lazy=lazy).frame())

    pd.testing.assert_frame_equal(frame, live, check_exact=True)
    assert (frame.index.unit, frame.index.freq) == ("us", None)


@pytest.mark.parametrize("lazy", [True, False])
def test_a_frame_looks_like_the_one_that_a_confined_bot_gets(lazy: bool) -> None:
    received = decode_frame(encode_frame(IndicatorFrame(wavy_candles(ROWS)).window(300)))

    pd.testing.assert_frame_equal(plain(grown(lazy=lazy).frame()), received, check_exact=True)


@pytest.mark.parametrize("lazy", [True, False])
def test_every_frame_is_right_while_memory_is_begun_anew(lazy: bool) -> None:
    window = grown(0, length=20, lazy=lazy)
    candles = wavy_candles(ROWS)

    for row in range(ROWS):
        extend(window, row, row + 1)

        if row % 7 == 0 or row % 160 < 3:
            expected = IndicatorFrame(candles.head(row + 1)).window(20)
            pd.testing.assert_frame_equal(plain(window.frame()), expected, check_exact=True)


def test_obv_counts_from_the_frames_first_row_in_whichever_way_it_is_read() -> None:
    frame = grown().frame()
    obv = IndicatorFrame(wavy_candles(ROWS)).window(300)["obv"]

    place = COLUMNS.get_loc("obv")
    assert frame["obv"].iloc[0] == 0
    assert frame["obv"].iloc[-1] == obv.iloc[-1]
    assert frame.iloc[-2]["obv"] == frame.iloc[-2].iloc[place] == frame.iloc[-2].values[place] == obv.iloc[-2]
    assert frame[["close", "obv"]].values[-1, 1] == obv.iloc[-1]
    assert frame.iloc[-10:]["obv"].values.tolist() == obv.iloc[-10:].tolist()
    assert frame.iloc[-10:].iloc[3:5].values[:, place].tolist() == obv.iloc[-7:-5].tolist()


def test_columns_need_not_be_indicators() -> None:
    window = GrowingWindow(["spread", "obv_of_mine"], length=2)
    for row in range(5):
        window.append(FIRST + row * HOUR, [row, -row])

    assert window.frame().values.tolist() == [[3, -3], [4, -4]]


def test_rows_to_come_are_in_no_memory_that_a_frame_leads_to() -> None:
    window = grown(400)
    frame: Any = window.frame()
    arrays = [frame["close"].values, frame.values, frame[["open", "close"]].values, frame.iloc[-9:].values]
    arrays += [frame.index.asi8, frame._mgr.blocks[0].values, frame["close"]._mgr.blocks[0].values]
    known = set(np.ravel(frame.values).tolist()) | set(frame.index.asi8.tolist())

    seen = {number for array in arrays for number in np.ravel(_root(array)).tolist()}

    assert {number for number in seen if not math.isnan(number)} <= known


@pytest.mark.parametrize("lazy", [True, False])
def test_nothing_that_a_bot_writes_to_is_what_it_gets_later(lazy: bool) -> None:
    window = grown(400, lazy=lazy)
    expected = plain(grown(401, lazy=False).frame())

    for frame in (window.frame(), window.frame()):
        spoil_arrays(frame)
        spoil_frame(frame)
    extend(window, 400, 401)

    pd.testing.assert_frame_equal(plain(window.frame()), expected, check_exact=True)


def spoil_arrays(frame: Any) -> None:
    """Write to every array that can be dug out of a frame."""
    close = frame["close"]
    for array in (
        *(close.values, frame.values, frame[["open", "close"]].values, frame.iloc[-9:].values),
        *(frame.iloc[-1].values, frame.iloc[-9:]["close"].values, frame.index.asi8),
        *(frame._mgr.blocks[0].values, close._mgr.blocks[0].values, frame.index._data._ndarray),
    ):
        dug = array
        while dug is not None:
            dug.flags.writeable = True
            dug[...] = 0
            dug = dug.base


def spoil_frame(frame: pd.DataFrame) -> None:
    """Write to a frame as pandas offers it."""
    frame.index.name = "mine"
    frame.columns.name = "mine"
    frame.loc[:, "close"] = 0.0
    frame.iloc[-1] = 0.0
    frame["rsi"] = 0.0
    frame["mine"] = 1.0
    frame.insert(0, "first", 1.0)
    frame.attrs["mine"] = True
    del frame["open"]
    frame.columns = [f"my_{name}" for name in frame.columns]


@pytest.mark.parametrize("lazy", [True, False])
def test_a_frame_that_was_kept_does_not_move(lazy: bool) -> None:
    window = grown(400, length=20, lazy=lazy)
    kept, column, part = window.frame(), window.frame()["close"], window.frame()[["open", "obv"]]
    expected = plain(grown(400, length=20, lazy=False).frame())

    extend(window, 400, ROWS)

    assert column.iloc[-1] == expected["close"].iloc[-1]
    pd.testing.assert_series_equal(column * 1, expected["close"])
    pd.testing.assert_frame_equal(part * 1, expected[["open", "obv"]])
    pd.testing.assert_frame_equal(plain(kept), expected, check_exact=True)


def test_each_call_gives_another_frame() -> None:
    window = grown(400)
    first, second = window.frame(), window.frame()

    first["close"] = 0.0

    assert first is not second
    assert second["close"].iloc[-1] == window.frame()["close"].iloc[-1] > 0


@pytest.mark.parametrize("lazy", [True, False])
def test_rows_that_do_not_fit_are_refused_and_change_nothing(lazy: bool) -> None:
    window = GrowingWindow(["close", "volume", "obv"], length=2, lazy=lazy)
    window.append(FIRST, [1.0, 5.0, 0.0])
    before = plain(window.frame())

    for stamp in (FIRST, FIRST - HOUR):
        with pytest.raises(ValueError, match=f"opened after {FIRST}, in us since 1970, not at {stamp}"):
            window.append(stamp, [2.0, 5.0, 0.0])
    for row in ([2.0, 5.0], [2.0, 5.0, 0.0, 1.0], []):
        with pytest.raises(ValueError, match=f"Expected 3 numbers, one for each column, not {len(row)}"):
            window.append(FIRST + HOUR, row)

    pd.testing.assert_frame_equal(plain(window.frame()), before)
    window.append(FIRST + HOUR, [2.0, 5.0, 0.0])
    assert window.frame()["obv"].values.tolist() == [0.0, 5.0]


def test_another_pandas_gets_plain_frames_and_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd, "__version__", "3.2.0")

    with pytest.warns(UserWarning, match=r"need pandas 3\.1\.1, not 3\.2\.0"):
        window = grown()

    assert type(window.frame()) is pd.DataFrame
    pd.testing.assert_frame_equal(window.frame(), grown(lazy=False).frame(), check_exact=True)


def test_who_asks_for_plain_frames_gets_them_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd, "__version__", "3.2.0")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(grown(lazy=False).frame()) is pd.DataFrame


NAMES = ["close", "volume", "obv", "rsi"]
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
rows = st.tuples(st.integers(1, 3), numbers, numbers, numbers)
steps = st.one_of(
    st.tuples(st.just("append"), rows),
    st.tuples(st.sampled_from(["keep", "read", "write", "dig", "narrow", "turn", "copy"]), st.integers(0, 7)),
)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.lists(steps, min_size=1, max_size=90))
def test_frames_equal_slices_whatever_was_done_before(length: int, steps: list[tuple]) -> None:
    lazy, plainly = (GrowingWindow(NAMES, length=length, lazy=lazy) for lazy in (True, False))
    stamp, table, kept = FIRST, {}, []

    for deed, what in steps:
        if deed == "append":
            hours, close, volume, rsi = what
            stamp += hours * HOUR
            table[stamp] = [close, volume, math.nan, rsi]
            lazy.append(stamp, np.array(table[stamp]))
            plainly.append(stamp, table[stamp])
        expected = slice_of(table, length)
        pd.testing.assert_frame_equal(plain(lazy.frame()), expected, check_exact=True)
        pd.testing.assert_frame_equal(plainly.frame(), expected, check_exact=True)
        if deed != "append":
            kept.append((do(deed, what, lazy.frame()), do(deed, what, expected)))

    for of_lazy, of_slice in kept:
        pd.testing.assert_frame_equal(plain(of_lazy), of_slice, check_exact=True)


def slice_of(table: dict[int, list[float]], length: int) -> pd.DataFrame:
    """Return the newest rows by pandas alone, obv added up as it is defined."""
    index = pd.DatetimeIndex(np.array([*table], dtype="datetime64[us]"), name="opened_at").tz_localize("UTC")
    frame = pd.DataFrame([*table.values()], index=index, columns=NAMES, dtype="float64").iloc[-length:]
    moves = np.sign(frame["close"].diff()) * frame["volume"]
    return frame.assign(obv=moves.where(np.arange(len(frame)) > 0, 0.0).cumsum())


def do(deed: str, number: int, frame: Any) -> Any:
    """Use a frame in some way and return what is left of it."""
    position = number - len(frame) if number < len(frame) else -1
    if deed == "read" and len(frame):
        assert frame["close"].iloc[position] == frame.iloc[position]["close"] == frame.values[position, 0]
    if deed == "write" and len(frame):
        frame.iloc[position, number % 4] = 7.0
        frame[NAMES[number % 4]] *= 2
    if deed == "dig" and len(frame):
        array = frame["close"].values
        array.flags.writeable = True
        array[...] = 3.0
        return frame[["obv"]]
    if deed == "narrow":
        return frame.iloc[number - 4 :][["obv", "close"]].iloc[: number // 2]
    if deed == "turn":
        frame.columns.name = "mine"
        frame.index.name = "times"
        return frame[["rsi", "obv"]]
    if deed == "copy":
        copy = frame.copy()
        copy["close"] = 1.0
        return frame
    return frame


def _root(array: np.ndarray) -> np.ndarray:
    while array.base is not None:
        array = array.base
    return array
