from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from bot_sdk.gaps import gap_in, gapped_rows

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def minutes(missing: list[int]) -> pd.DatetimeIndex:
    """Return opening times a minute apart, after each of which so many are missing."""
    at = np.cumsum([0, *[count + 1 for count in missing]])
    return pd.DatetimeIndex([NOON + int(minute) * timedelta(minutes=1) for minute in at])


hole = st.one_of(st.just(0), st.just(0), st.integers(0, 2), st.integers(9, 12))


@given(missing=st.lists(hole, max_size=60), length=st.integers(1, 40))
@example(missing=[0] * 8 + [1], length=10)
@example(missing=[0] * 9 + [1], length=11)
@example(missing=[10, 0, 0], length=2)
@example(missing=[11, 0, 0], length=2)
def test_rows_are_gapped_where_their_window_is(missing: list[int], length: int) -> None:
    index = minutes(missing)

    found = gapped_rows(index, "1m", length)

    windows = [index[max(row - length + 1, 0) : row + 1] for row in range(len(index))]
    assert found.tolist() == [gap_in(window, "1m") != "" for window in windows]


def test_no_row_is_gapped_where_there_is_none() -> None:
    assert gapped_rows(minutes([])[:0], "1m", 500).tolist() == []
