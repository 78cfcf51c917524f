"""A finished backtest, with a report that the engine itself has written."""

import json
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from django.utils import timezone

from accounts.models import User
from bot_sdk import Action, CustomBot
from bot_sdk.backtest import Backtest as Trial
from bot_sdk.backtest import Setup, run
from bot_sdk.backtest_report import report
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from execution.models import Backtest
from tests.bot_sdk.samples import make_rules
from tests.factories import make_backtest

ATTACK = "<script>alert('gotcha')</script>"
FORMULA = '=HYPERLINK("http://example.com")'
DAYS = 100
TRADES = 49  # closed ones: a buy and a sale every other day


class Alternating(CustomBot):
    """Buys and sells in turn, with a reason that a page must not believe."""

    def execute_algorithm(self, data: Any, *_: Any) -> Action:
        price = float(data["close"].iloc[-1])
        return Action("BUY", price, ATTACK) if len(data) % 2 else Action("SELL", price, FORMULA)


@cache
def found_text() -> str:
    """The report of the bot above over a hundred days that swing, as JSON."""
    row = np.arange(DAYS)
    close = 100 + 10 * np.sin(row / 3)
    index = pd.date_range("2025-11-21", periods=DAYS, tz="UTC", name="opened_at")
    prices = {"open": close, "high": close + 2, "low": close - 2, "close": close, "volume": 5.0}
    terms = Terms(
        capital=Decimal(1000),
        rules=make_rules(),
        execution=ExecutionConfig.parse({"buy_order_type": "ALL", "sell_order_type": "ALL"}),
        risk=RiskConfig(),
    )
    setup = Setup("BINANCE", "BTC/USDT", "1d", terms, {})
    frame = with_indicators(pd.DataFrame(prices, index=index), "1d")
    return json.dumps(report(run(Alternating, Trial(History(frame, "1d"), setup)), versions_tried=3))


def make_found(person: User, **overrides: Any) -> Backtest:
    """A finished backtest with what the bot above found."""
    values: dict[str, Any] = {
        "state": "DONE",
        "verdict": "OK",
        "report": json.loads(found_text()),
        "log": f"printed {ATTACK}",
        "finished_at": timezone.now(),
        "bot_seconds": 1.5,
        "bot_cpu_seconds": 1.0,
        "bot_peak_memory_mb": 80.0,
    }
    return make_backtest(person, **values | overrides)
