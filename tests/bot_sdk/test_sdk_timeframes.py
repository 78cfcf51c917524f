from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot_sdk.timeframes import TIMEFRAMES, duration, floor, last_closed

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_timeframes_go_from_short_to_long() -> None:
    assert TIMEFRAMES == ("1m", "5m", "15m", "30m", "1h", "4h", "1d")
    assert sorted(TIMEFRAMES, key=duration) == list(TIMEFRAMES)


def test_an_unknown_timeframe_names_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="'2h'; use one of 1m, 5m, 15m, 30m, 1h, 4h, 1d"):
        duration("2h")


@pytest.mark.parametrize(
    ("timeframe", "opened_at"),
    [
        ("1m", datetime(2026, 3, 4, 13, 47, tzinfo=UTC)),
        ("5m", datetime(2026, 3, 4, 13, 45, tzinfo=UTC)),
        ("15m", datetime(2026, 3, 4, 13, 45, tzinfo=UTC)),
        ("30m", datetime(2026, 3, 4, 13, 30, tzinfo=UTC)),
        ("1h", datetime(2026, 3, 4, 13, 0, tzinfo=UTC)),
        ("4h", datetime(2026, 3, 4, 12, 0, tzinfo=UTC)),
        ("1d", datetime(2026, 3, 4, 0, 0, tzinfo=UTC)),
    ],
)
def test_floor_is_the_opening_time_of_the_candle_in_progress(timeframe: str, opened_at: datetime) -> None:
    assert floor(timeframe, datetime(2026, 3, 4, 13, 47, 59, 999999, tzinfo=UTC)) == opened_at


def test_a_candle_contains_its_opening_moment() -> None:
    assert floor("4h", NOON) == NOON


def test_floor_answers_in_utc_whatever_the_zone() -> None:
    in_india = datetime(2026, 3, 5, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert floor("1d", in_india) == datetime(2026, 3, 4, tzinfo=UTC)
    assert floor("1d", in_india).tzinfo is UTC


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        floor("1h", datetime(2026, 3, 4, 12, 0))  # noqa: DTZ001  the mistake under test


def test_a_candle_is_closed_at_the_moment_the_next_one_opens() -> None:
    assert last_closed("1h", NOON) == NOON - timedelta(hours=1)
    assert last_closed("1h", NOON - timedelta(microseconds=1)) == NOON - timedelta(hours=2)
