"""Ask another version of a bot at the newest decisions of a subscription, and count where it says otherwise.

One confined process is asked at one candle after another, strictly in order, as in a backtest. What the
account held then is known for no candle but by what was asked, so a version that asks about the account is
told what a backtest with the subscription's capital would hold.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from django.conf import settings

from bot_sdk.action import Action
from bot_sdk.backtest import Backtest, Setup
from bot_sdk.bot import ACCOUNT_QUESTIONS
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.desk import Terms
from bot_sdk.effective_limits import effective
from bot_sdk.history import History, anchor, with_indicators
from bots.errors import ArtifactError
from exchanges.frames import stored
from execution import reruns, sandbox
from execution.errors import RerunError
from execution.loading import load
from execution.models import Comparison, Cycle
from execution.sandbox import Limits, Run, Verdict
from subscriptions import changing
from subscriptions.models import Subscription
from subscriptions.platform_limits import platform_limits
from subscriptions.setting_words import Settings

logger = logging.getLogger(__name__)

BOT_SECONDS = 60  # for all candles together
LEASE_SECONDS = BOT_SECONDS + 120
EXAMPLES = 10  # the newest
CHANGED_MEANWHILE = "The subscription was changed meanwhile. Ask again."
CANDLES_ARE_LOST = "The candles of these decisions are not stored any more."
OUR_FAULT = "Something failed on our side. We were told."


def run(comparison_id: int) -> None:
    """Run one comparison that waits; nothing when another worker has it."""
    comparison = reruns.claim(Comparison.objects.all(), comparison_id, LEASE_SECONDS)
    if comparison is None:
        return
    try:
        result = _compare(comparison)
    except (RerunError, ArtifactError) as error:
        reruns.finish(comparison, state=Comparison.State.FAILED, message=str(error))
    except Exception:
        logger.exception("Comparison %s failed on our side", comparison_id)
        reruns.finish(comparison, state=Comparison.State.FAILED, message=OUR_FAULT)
    else:
        reruns.finish(comparison, state=Comparison.State.DONE, result=result)


def _compare(comparison: Comparison) -> dict[str, Any]:
    subscription = Subscription.objects.with_names().get(pk=comparison.subscription_id)
    version = comparison.version
    if refused := reruns.refusal(version):
        raise RerunError(refused)
    if reruns.settings_hash(subscription, version) != comparison.settings:
        raise RerunError(CHANGED_MEANWHILE)
    cycles = list(reruns.compared(subscription, comparison.newest_candle_at))[::-1]
    code, models = load(version)
    trial = _Trial(
        _history(subscription, cycles), _setup(subscription, changing.moved(subscription, version))
    )
    limits = Limits(seconds=BOT_SECONDS, memory_mb=settings.BOT_MAX_MEMORY_MB, cpu_percent=100)
    ended = sandbox.rehearse(trial, code, models, limits, is_strict=True, goes_on=lambda: True)
    return _result(cycles, trial, ended)


class _Trial(Backtest):
    """A backtest that keeps what the bot said at each candle, by its opening."""

    def __init__(self, history: History, setup: Setup) -> None:
        self.said: dict[datetime, Action | str] = {}
        self.has_asked_account = False
        super().__init__(history, setup, heard=self._keep)

    def answer(self, question: str, *arguments: Any) -> Any:
        self.has_asked_account = self.has_asked_account or question in ACCOUNT_QUESTIONS
        return super().answer(question, *arguments)

    def _keep(self, said: Action | str) -> None:
        self.said[self.history.opened_at(self.row)] = said


def _history(subscription: Subscription, cycles: Sequence[Cycle]) -> History:
    """Return the candles from the oldest of these decisions to the newest, as the bot sees them live."""
    market, timeframe = subscription.market, subscription.timeframe
    first, last = cycles[0].candle_opened_at, cycles[-1].candle_opened_at
    candles = stored(market, timeframe, last, anchor(timeframe, first))
    row = int(candles.index.searchsorted(pd.Timestamp(first)))
    if row >= len(candles):
        raise RerunError(CANDLES_ARE_LOST)
    return History(with_indicators(candles, timeframe), timeframe, first=row)


def _setup(subscription: Subscription, planned: Settings) -> Setup:
    return Setup(
        exchange=subscription.market.exchange,
        trading_pair=subscription.market.trading_pair,
        timeframe=subscription.timeframe,
        terms=Terms(
            capital=subscription.allocated_capital,
            rules=subscription.market.rules,
            execution=ExecutionConfig.parse(planned.execution_config),
            risk=effective(RiskConfig.parse(planned.risk_config), platform_limits()),
        ),
        config=planned.strategy_config,
    )


def _result(cycles: Sequence[Cycle], trial: _Trial, ended: Run) -> dict[str, Any]:
    """Return what the pages show; raises RerunError when the bot has answered nothing at all.

    `asked` decisions were compared, of which the version says something else at `different` and fails at
    `failed`; `changes` counts [then, now, times]; `examples` has the newest of them.
    """
    heard = [
        (cycle, trial.said[cycle.candle_opened_at])
        for cycle in cycles
        if cycle.candle_opened_at in trial.said
    ]
    if not heard:
        raise RerunError(ended.message or CANDLES_ARE_LOST)
    others = [
        (cycle, said) for cycle, said in heard if not isinstance(said, Action) or said.action != cycle.action
    ]
    changes = Counter((cycle.action, _word(said)) for cycle, said in others)
    failed = sum(not isinstance(said, Action) for _, said in others)
    return {
        "asked": len(heard),
        "different": len(others) - failed,
        "failed": failed,
        "first_at": heard[0][0].candle_closed_at.isoformat(),
        "last_at": heard[-1][0].candle_closed_at.isoformat(),
        "changes": [[*pair, count] for pair, count in changes.most_common()],
        "examples": [_example(cycle, said) for cycle, said in others[: -EXAMPLES - 1 : -1]],
        "has_asked_account": trial.has_asked_account,
        "message": "" if ended.verdict == Verdict.OK else ended.message,
    }


def _example(cycle: Cycle, said: Action | str) -> dict[str, Any]:
    reason = said.reason if isinstance(said, Action) else said
    return {
        "cycle": cycle.pk,
        "closed_at": cycle.candle_closed_at.isoformat(),
        "then": cycle.action,
        "now": _word(said),
        "reason": reason[:500],
    }


def _word(said: Action | str) -> str:
    """Return the action, or "" for none."""
    return said.action if isinstance(said, Action) else ""
