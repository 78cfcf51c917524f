"""Ask for a backtest, cancel it, share it. What runs it is in `backtesting`, on workers only."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import kombu.exceptions
from celery import current_app
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from bot_sdk.parameters import ConfigError
from bot_sdk.timeframes import duration, floor
from bots.models import BotVersion
from exchanges.models import Market
from execution.errors import BacktestError
from execution.models import Backtest
from subscriptions.lifecycle import LARGEST_CAPITAL, parse_settings

logger = logging.getLogger(__name__)

TASK = "execution.tasks.run_backtest"
MOST_CANDLES = 200_000  # of one backtest; 1m over four and a half months, 1h over 22 years
MOST_DETAILS = 1_000_000  # candles of the smaller timeframe
FEWEST_CANDLES = 10
MOST_UNFINISHED = 3  # of one person
SETTLING = timedelta(minutes=6)  # newer candles may not be settled in the history yet
MOST_SLIPPAGE_PERCENT = Decimal(10)
SLIPPAGE_PLACES = 4  # that its column keeps


@dataclass(frozen=True, slots=True)
class Wish:
    """What to try: a market and period, the money, the settings, and how orders are assumed to fill."""

    market: Market
    timeframe: str
    begins_at: datetime
    ends_at: datetime
    capital: Decimal
    strategy_config: Mapping[str, Any]
    execution_config: Mapping[str, Any]
    risk_config: Mapping[str, Any]
    fill_at: str = Backtest.FillAt.NEXT_OPEN
    slippage_percent: Decimal = Decimal(0)
    detail_timeframe: str = ""
    is_strict: bool = False


def request(*, person: User | None, version: BotVersion, wish: Wish) -> Backtest:
    """Have the version tried as wished, and return the backtest that waits for its worker.

    Without a person it is the marketplace's own, which everyone may read.
    The period is cut to whole candles. Raises ConfigError with one message per field (a bot's own parameters
    are named with STRATEGY_PREFIX), and BacktestError when the person has too many unfinished ones.
    """
    problems: dict[str, str] = {}
    step = _step(wish, problems)
    begins_at, ends_at = (floor(wish.timeframe, at) if step else at for at in (wish.begins_at, wish.ends_at))
    if step:
        _check_period(wish, begins_at, ends_at, problems)
    if not wish.capital.is_finite() or not 0 < wish.capital <= LARGEST_CAPITAL:
        problems["capital"] = f"Expected an amount above zero and up to {LARGEST_CAPITAL:,}."
    slippage = wish.slippage_percent
    is_allowed = slippage.is_finite() and 0 <= slippage <= MOST_SLIPPAGE_PERCENT
    if not is_allowed or round(slippage, SLIPPAGE_PLACES) != slippage:
        expected = f"0 to {MOST_SLIPPAGE_PERCENT} %, with at most {SLIPPAGE_PLACES} places after the point"
        problems["slippage_percent"] = f"Expected {expected}."
    if wish.fill_at not in Backtest.FillAt.values:
        problems["fill_at"] = f"Expected one of {', '.join(Backtest.FillAt.values)}, got {wish.fill_at!r}."
    declared = version.declared_parameters
    settings_given = wish.strategy_config, wish.execution_config, wish.risk_config
    strategy, execution, risk = parse_settings(problems, declared, *settings_given)
    if problems:
        raise ConfigError(problems)
    with transaction.atomic():
        if person is not None:
            _check_has_room(person)
        backtest = Backtest.objects.create(
            version=version,
            requested_by=person,
            market=wish.market,
            timeframe=wish.timeframe,
            begins_at=begins_at,
            ends_at=ends_at,
            capital=wish.capital,
            strategy_config=strategy,
            execution_config=execution.to_dict(),
            risk_config=risk.to_dict(),
            fill_at=wish.fill_at,
            slippage_percent=wish.slippage_percent,
            detail_timeframe=wish.detail_timeframe,
            is_strict=wish.is_strict,
            is_shared=person is None,
        )
        transaction.on_commit(lambda: enqueue(backtest))
    return backtest


def enqueue(backtest: Backtest) -> None:
    """Tell the workers of a backtest that waits. Without a broker it is told again by the next sweep."""
    try:
        current_app.send_task(TASK, args=[str(backtest.pk)])
    except kombu.exceptions.OperationalError:
        logger.warning("Backtest %s waits until the broker is back", backtest.pk)


def cancel(*, backtest: Backtest) -> Backtest:
    """End the backtest: at once when it waits, after a few more candles when it runs, with what it has found.

    Canceling a finished one changes nothing.
    """
    mine = Backtest.objects.filter(pk=backtest.pk)
    waiting = mine.filter(state=Backtest.State.QUEUED)
    if not waiting.update(state=Backtest.State.CANCELED, finished_at=timezone.now()):
        mine.unfinished().update(is_cancel_wanted=True)
    backtest.refresh_from_db()
    return backtest


def share(*, backtest: Backtest, is_shared: bool) -> Backtest:
    """Let whoever has the backtest's address read it, or nobody but its owner."""
    backtest.is_shared = is_shared
    backtest.save(update_fields=["is_shared"])
    return backtest


def _check_has_room(person: User) -> None:
    User.objects.select_for_update().get(pk=person.pk)
    if Backtest.objects.of(person).unfinished().count() >= MOST_UNFINISHED:
        raise BacktestError(
            f"{MOST_UNFINISHED} of your backtests are not finished. Wait for one of them, or cancel it."
        )


def _step(wish: Wish, problems: dict[str, str]) -> timedelta | None:
    offered = wish.market.timeframes
    if wish.timeframe not in offered:
        problems["timeframe"] = f"Expected one of {', '.join(offered)}, got {wish.timeframe!r}."
        return None
    step = duration(wish.timeframe)
    detail = wish.detail_timeframe
    if detail and (detail not in offered or duration(detail) >= step):
        smaller = [each for each in offered if duration(each) < step]
        expected = f"one of {', '.join(smaller)}" if smaller else "none: there is no smaller timeframe"
        problems["detail_timeframe"] = f"Expected {expected}, got {detail!r}."
    return step


def _check_period(wish: Wish, begins_at: datetime, ends_at: datetime, problems: dict[str, str]) -> None:
    count = (ends_at - begins_at) // duration(wish.timeframe)
    if ends_at > timezone.now() - SETTLING:
        problems["ends_at"] = "Expected a day that is over: the future has no candles yet."
    elif count < FEWEST_CANDLES:
        problems["ends_at"] = f"Expected a period of at least {FEWEST_CANDLES} candles, this one has {count}."
    elif count > MOST_CANDLES:
        problems["begins_at"] = (
            f"Expected a period of at most {MOST_CANDLES:,} candles, this one has {count:,}: "
            "begin later, or choose a larger timeframe."
        )
    elif wish.detail_timeframe and "detail_timeframe" not in problems:
        details = (ends_at - begins_at) // duration(wish.detail_timeframe)
        if details > MOST_DETAILS:
            problems["detail_timeframe"] = (
                f"Expected at most {MOST_DETAILS:,} smaller candles, these are {details:,}: choose a larger "
                "one, or a shorter period."
            )
