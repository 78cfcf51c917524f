"""Backtests in the sandbox: released candle by candle, released ahead, and the developer's own loop.

All three ask the same bot at the same candles and trade alike. Rounds alternate; a ratio is the median of
theirs, with the least and the largest.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median

import bot_sdk.examples
from benchmarks.new_candle import random_walk
from bot_sdk.backtest import Backtest, Setup, run
from bot_sdk.bot_file import load_bot_class
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.desk import Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.market_rules import MarketRules
from execution.sandbox import Limits, Verdict, rehearse

CANDLES = 20_000
FIRST = 500
ROUNDS = 5
BOT = Path(bot_sdk.examples.__path__[0], "rsi_bot.py")
LIMITS = Limits(seconds=300, memory_mb=512, cpu_percent=100)
TERMS = Terms(
    capital=Decimal(10_000),
    rules=MarketRules(
        price_tick=Decimal("0.00000001"),
        amount_step=Decimal("0.00000001"),
        minimum_amount=Decimal("0.00000001"),
        minimum_cost=Decimal(0),
        taker_fee_fraction=Decimal("0.001"),
    ),
    execution=ExecutionConfig.parse({"buy_order_type": "ALL", "sell_order_type": "ALL"}),
    risk=RiskConfig(),
)


def report() -> None:
    history = History(with_indicators(random_walk(CANDLES + FIRST), "5m"), "5m", first=FIRST)
    code, bot_class = BOT.read_text(), load_bot_class(BOT)

    def new() -> Backtest:
        return Backtest(history, Setup("BINANCE", "BTC/USDT", "5m", TERMS, {}))

    def at_home(backtest: Backtest) -> None:
        run(bot_class, backtest, code=BOT.read_bytes())

    def confined(backtest: Backtest, *, is_strict: bool) -> None:
        ended = rehearse(backtest, code, (), LIMITS, is_strict=is_strict, goes_on=lambda: True)
        if ended.verdict != Verdict.OK:
            raise SystemExit(f"A backtest ended {ended.verdict}: {ended.message}")

    ways: dict[str, Callable[[Backtest], None]] = {
        "the developer's own loop": at_home,
        "confined, released ahead": lambda backtest: confined(backtest, is_strict=False),
        "confined, one by one": lambda backtest: confined(backtest, is_strict=True),
    }
    for way in ways.values():
        way(new())
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        tried = {name: new() for name in ways}
        for name, way in ways.items():
            start = time.perf_counter()
            way(tried[name])
            speeds[name].append(CANDLES / (time.perf_counter() - start))
        if len({len(backtest.desk.fills) for backtest in tried.values()}) != 1:
            raise SystemExit("The ways traded differently; the figures would mean nothing.")
    print(f"{'candles a second, RSI bot':28} median   of the loop   of released ahead")
    loop, ahead, _ = speeds.values()
    for name, each in speeds.items():
        print(f"{name:28} {median(each):6.0f}   {_ratio(each, loop)}   {_ratio(each, ahead)}")
    print()


def _ratio(values: list[float], yardstick: list[float]) -> str:
    ratios = sorted(value / other for value, other in zip(values, yardstick, strict=True))
    return f"{median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
