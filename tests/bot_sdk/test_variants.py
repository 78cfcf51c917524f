"""Histories with another past or future."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bot_sdk.history import BLOCK_CANDLES, History, with_indicators
from bot_sdk.variants import FUTURES, part, scaled, shuffled, turned_round, with_future
from tests.bot_sdk.samples import candles_of, wavy_candles


def make_history(count: int = 300, *, first: int = 60) -> History:
    return History(with_indicators(wavy_candles(count), "1h"), "1h", first=first)


def test_candles_are_those_that_the_history_was_made_of() -> None:
    pd.testing.assert_frame_equal(make_history().candles, wavy_candles(300), check_freq=False)


def test_what_is_cut_off_changes_no_row_before_it() -> None:
    history = make_history()

    shorter = part(history, 0, 200)

    assert len(shorter) == 200
    assert shorter.first == 60
    assert np.array_equal(shorter.rows, history.rows[:200], equal_nan=True)


def test_a_part_has_indicators_as_if_it_were_all_there_is() -> None:
    history = make_history()

    later = part(history, 100, 250)

    assert later.first == 0
    assert later.opened_at(0) == history.opened_at(100)
    assert np.isnan(later.rows[5]).any()
    assert not np.isnan(history.rows[270]).any()
    expected = with_indicators(wavy_candles(300).iloc[100:250], "1h")
    assert np.array_equal(later.rows, expected.to_numpy(), equal_nan=True)


def test_a_part_before_the_first_decision_is_refused() -> None:
    with pytest.raises(ValueError, match="longer history"):
        part(make_history(), 0, 60)


@pytest.mark.parametrize("change", FUTURES)
def test_another_future_leaves_the_past_as_it_is(
    change: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    history = make_history()

    changed = with_future(history, 200, change)

    assert np.array_equal(changed.rows[:200], history.rows[:200], equal_nan=True)
    assert np.array_equal(changed.stamps, history.stamps)
    assert not np.array_equal(changed.closes[200:], history.closes[200:])


def test_another_future_leaves_the_past_alone_across_anchors() -> None:
    count = 2 * BLOCK_CANDLES + 50
    index = pd.date_range("1970-01-01", periods=count, freq="h", tz="UTC", name="opened_at")
    history = History(with_indicators(wavy_candles(count).set_axis(index), "1h"), "1h")

    changed = with_future(history, count - 20, scaled)

    assert np.array_equal(changed.rows[: count - 20], history.rows[: count - 20], equal_nan=True)


def test_changes_keep_each_candle_whole() -> None:
    candles = candles_of([1.0, 2.0, 3.0, 4.0])

    assert scaled(candles)["high"].tolist() == [1.5, 3.0, 4.5, 6.0]
    assert scaled(candles)["volume"].tolist() == candles["volume"].tolist()
    assert turned_round(candles)["close"].tolist() == [4.0, 3.0, 2.0, 1.0]
    assert sorted(shuffled(candles)["close"]) == [1.0, 2.0, 3.0, 4.0]
    assert shuffled(candles, seed=3).equals(shuffled(candles, seed=3))


def test_a_history_with_details_is_refused() -> None:
    frame = with_indicators(wavy_candles(100), "1h")
    history = History(frame, "1h", detail=wavy_candles(100))

    with pytest.raises(ValueError, match="smaller timeframe"):
        part(history, 0, 50)
