"""Run a backtest: claim it, bring its candles, ask the bot in the sandbox, keep what was found.

Whatever ends it early, a limit, its owner or the bot itself, what was found up to there is kept.
"""

import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pandas as pd
from django.conf import settings
from django.utils import timezone

from bot_sdk import backtest as engine
from bot_sdk.backtest_report import report
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.desk import FillAt, Terms
from bot_sdk.effective_limits import effective
from bot_sdk.history import History, anchor, with_indicators
from bot_sdk.timeframes import duration
from bots.errors import ArtifactError
from exchanges import candle_store
from exchanges.errors import CandleStoreError, ExchangeError
from exchanges.gateways import public_gateway, shared_redis
from exchanges.history import Wait, download, plan
from exchanges.models import Market
from execution import sandbox
from execution.backtest_requests import enqueue
from execution.errors import BacktestError
from execution.loading import load
from execution.models import Backtest
from execution.sandbox import Limits, Run, Verdict
from subscriptions.platform_limits import platform_limits

logger = logging.getLogger(__name__)

_A_MOMENT = timedelta(microseconds=1)
TOLD_SECONDS = 3600  # before the workers are told again of one that waits
SIGN_SECONDS = 1.0  # between two looks at the clock and signs of life
LOST = "Its worker stopped. Begin it again: candles that were fetched are kept."
WITHDRAWN = "{version} may not be run any more."
NO_CANDLES = "{market} has no {timeframe} candles between {begin:%Y-%m-%d} and {end:%Y-%m-%d} UTC."
ENDINGS = {
    Verdict.TIMED_OUT: "The time for one backtest was over.",
    Verdict.UNAVAILABLE: "Bots cannot be run just now.",
}


class _Canceled(Exception):
    """Its owner wants it to end before a candle was decided."""


def run(backtest_id: str) -> None:
    """Run one backtest that waits; nothing when another worker has it, or when it was canceled."""
    claim = uuid.uuid4()
    waiting = Backtest.objects.filter(pk=backtest_id, state=Backtest.State.QUEUED)
    now = timezone.now()
    if not waiting.update(state=Backtest.State.RUNNING, claim=claim, started_at=now, seen_at=now):
        return
    backtest = Backtest.objects.select_related("version__bot", "market").get(pk=backtest_id)
    progress = _Progress(backtest)
    try:
        _run(backtest, progress)
    except _Canceled:
        progress.finish(state=Backtest.State.CANCELED)
    except (BacktestError, ExchangeError, CandleStoreError, ArtifactError) as error:
        progress.finish(state=Backtest.State.FAILED, message=str(error))
    except Exception:
        logger.exception("Backtest %s failed on our side", backtest_id)
        progress.finish(state=Backtest.State.FAILED, message="Something failed on our side. We were told.")


def sweep(at: datetime) -> None:
    """End what lost its worker, and tell the workers again of what has been waiting for a while."""
    Backtest.objects.lost(at).update(state=Backtest.State.FAILED, finished_at=at, claim=None, message=LOST)
    waiting = Backtest.objects.filter(state=Backtest.State.QUEUED, created_at__lt=at - timedelta(minutes=1))
    for backtest in waiting.only("pk"):
        # noted where the message lies, so that whatever loses one loses both
        if shared_redis().set(f"backtest-told-of:{backtest.pk}", 1, nx=True, ex=TOLD_SECONDS):
            enqueue(backtest)


def load_history(
    market: Market,
    timeframe: str,
    begins_at: datetime,
    ends_at: datetime,
    *,
    detail: str = "",
    fetched: Callable[[float], None] = lambda _: None,
    wait: Wait = time.sleep,
) -> History:
    """Return the market's candles from `begins_at` to before `ends_at`, with what the bot sees before them.

    What the store lacks is downloaded first; `fetched` is told how much of it is there, from 0 to 1, and
    `wait` for how many seconds the exchange is not to be asked. Raises the gateway's errors,
    CandleStoreError, and BacktestError when there is no candle.
    """
    candles = _candles(market, timeframe, anchor(timeframe, begins_at), ends_at, fetched=fetched, wait=wait)
    first = int(candles.index.searchsorted(pd.Timestamp(begins_at)))
    if first >= len(candles):
        raise BacktestError(
            NO_CANDLES.format(market=market, timeframe=timeframe, begin=begins_at, end=ends_at)
        )
    within = None
    if detail:
        within = _candles(market, detail, begins_at, ends_at, fetched=fetched, wait=wait)
    return History(with_indicators(candles, timeframe), timeframe, first=first, detail=within)


def _run(backtest: Backtest, progress: "_Progress") -> None:
    if not backtest.version.may_run:
        raise BacktestError(WITHDRAWN.format(version=backtest.version))
    progress.begin(Backtest.Stage.FETCHING)
    history = load_history(
        backtest.market,
        backtest.timeframe,
        backtest.begins_at,
        backtest.ends_at,
        detail=backtest.detail_timeframe,
        fetched=progress.tell,
        wait=progress.wait,
    )
    code, models = load(backtest.version)
    trial = engine.Backtest(history, setup_of(backtest))
    progress.begin(Backtest.Stage.ASKING)
    total = len(history) - history.first

    def goes_on() -> bool:
        return progress.is_wanted((trial.row - history.first) / total)

    run = sandbox.rehearse(trial, code, models, _limits(), is_strict=backtest.is_strict, goes_on=goes_on)
    progress.begin(Backtest.Stage.MEASURING)
    progress.finish(
        state=_state(run, trial),
        verdict=run.verdict,
        message=_message(run, trial),
        log=run.log,
        bot_seconds=run.seconds,
        bot_cpu_seconds=run.cpu_seconds,
        bot_peak_memory_mb=run.peak_memory_mb,
        report=report(trial, versions_tried=backtest.version.bot.versions.count())
        if trial.row > history.first
        else None,
    )


def setup_of(backtest: Backtest) -> engine.Setup:
    """Return what a subscription with the backtest's settings would have."""
    return engine.Setup(
        exchange=backtest.market.exchange,
        trading_pair=backtest.market.trading_pair,
        timeframe=backtest.timeframe,
        terms=Terms(
            capital=backtest.capital,
            rules=backtest.market.rules,
            execution=ExecutionConfig.parse(backtest.execution_config),
            risk=effective(RiskConfig.parse(backtest.risk_config), platform_limits()),
            fill_at=FillAt(backtest.fill_at),
            slippage_percent=backtest.slippage_percent,
        ),
        config=backtest.strategy_config,
    )


def _limits() -> Limits:
    return Limits(seconds=settings.BACKTEST_TIMEOUT, memory_mb=settings.BOT_MAX_MEMORY_MB, cpu_percent=100)


def _state(run: Run, trial: engine.Backtest) -> Backtest.State:
    if trial.is_over:
        return Backtest.State.DONE
    if run.verdict == Verdict.OK:
        return Backtest.State.CANCELED
    return Backtest.State.ENDED_EARLY if trial.row > trial.history.first else Backtest.State.FAILED


def _message(run: Run, trial: engine.Backtest) -> str:
    if trial.is_over or run.verdict == Verdict.OK:
        return ""
    until = f"{trial.history.opened_at(trial.row):%Y-%m-%d %H:%M} UTC"
    return f"It ended at the candle of {until}. {ENDINGS.get(run.verdict, '')} {run.message}".replace(
        "  ", " "
    )


def _candles(
    market: Market,
    timeframe: str,
    begin: datetime,
    end: datetime,
    *,
    fetched: Callable[[float], None],
    wait: Wait,
) -> pd.DataFrame:
    """Return the candles opened from `begin` to before `end`, after asking for those that are missing."""
    gateway = public_gateway(market.exchange)
    wanted = plan(market, timeframe, gateway, since=begin, until=end, wait=wait)
    for step in download(wanted, gateway, wait):
        fetched(min((step.asked_until - wanted.begin) / max(wanted.end - wanted.begin, _A_MOMENT), 1.0))
    return candle_store.read(market, timeframe, begin, end - duration(timeframe))


class _Progress:
    """What a backtest's row says while its worker is at it. Only the one that has claimed it writes."""

    def __init__(self, backtest: Backtest) -> None:
        self._mine = Backtest.objects.filter(
            pk=backtest.pk, claim=backtest.claim, state=Backtest.State.RUNNING
        )
        self._next_sign = 0.0
        self._told = 0.0

    def begin(self, doing: Backtest.Stage) -> None:
        """Say what the worker is at now."""
        self._mine.update(doing=doing, progress_percent=0, seen_at=timezone.now())

    def is_wanted(self, fraction: float) -> bool:
        """Say how far it is, now and then, and return whether it is to go on."""
        now = time.monotonic()
        if now < self._next_sign:
            return True
        self._next_sign = now + SIGN_SECONDS
        self._mine.update(progress_percent=int(fraction * 100), seen_at=timezone.now())
        return self._mine.filter(is_cancel_wanted=False).exists()

    def tell(self, fraction: float) -> None:
        """Say how far it is. Raises _Canceled when it is not to go on."""
        self._told = fraction
        if not self.is_wanted(fraction):
            raise _Canceled

    def wait(self, seconds: float) -> None:
        """Wait, and give signs of life meanwhile. Raises _Canceled when it is not to go on."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.tell(self._told)
            time.sleep(min(left, SIGN_SECONDS))

    def finish(self, *, state: Backtest.State, **found: object) -> None:
        """Write what was found."""
        self._mine.update(
            state=state, finished_at=timezone.now(), doing="", claim=None, progress_percent=100, **found
        )
