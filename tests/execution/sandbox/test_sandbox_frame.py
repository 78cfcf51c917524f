import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from bot_sdk.process.frame import decode_frame
from execution.sandbox import encode_frame
from tests.execution.sandbox.jobs import make_frame


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=5))
def test_a_frame_comes_out_as_it_went_in(rows: list[tuple[float, float]]) -> None:
    frame = make_frame([close for close, _ in rows], rsi=[rsi for _, rsi in rows])

    assert_frame_equal(decode_frame(encode_frame(frame)), frame, check_exact=True, check_freq=False)


def test_columns_of_one_kind_only_are_taken() -> None:
    frame = make_frame().assign(side=["BUY", "SELL", "HOLD"])

    with pytest.raises(TypeError, match="Expected float64 in column 'side'"):
        encode_frame(frame)


@pytest.mark.parametrize("index", [pd.RangeIndex(3), pd.date_range("2026-01-01", periods=3)])
def test_an_index_without_a_time_in_utc_is_refused(index: pd.Index) -> None:
    with pytest.raises(TypeError, match="Expected a DatetimeIndex in UTC"):
        encode_frame(make_frame().set_index(index))


def test_the_same_frame_gives_the_same_bytes_whatever_its_layout() -> None:
    frame = make_frame([1.0, 2.0], rsi=[3.0, np.nan])
    built_otherwise = frame[["close"]].assign(rsi=frame["rsi"])

    assert encode_frame(frame) == encode_frame(built_otherwise)


def test_a_bot_may_write_into_its_frame() -> None:
    decoded = decode_frame(encode_frame(make_frame([1.0, 2.0])))

    decoded.loc[decoded.index[0], "close"] = 5.0

    assert decoded["close"].to_list() == [5.0, 2.0]
