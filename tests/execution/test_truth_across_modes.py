"""The same candles in a backtest, on paper and at an exchange: the same answers, signals and money (I12).

At Coinbase and Kraken, which take their fees in quote as paper does. Binance takes them from what is bought:
there the amounts are others, and the tests of settling compare them with its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import time_machine
from pytest_django.fixtures import Settings

import bot_sdk.examples
from bot_sdk.action import Action
from bot_sdk.backtest import Backtest, Setup
from bot_sdk.desk import FillAt, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.ledger import ZERO, Holding
from bots import storage
from exchanges import candles, ccxt_client, gateways
from exchanges.markets import refresh_markets
from exchanges.models import Market
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.tape import CandleTape
from execution import sandbox, tasks
from execution.models import Cycle, Fill
from execution.orders import position_of
from execution.sandbox import Limits, Verdict
from subscriptions.models import Subscription
from tests.bot_sdk.samples import candles_of, wavy_candles
from tests.exchanges.simulated import PAIR, Simulator, simulating
from tests.factories import make_bot, make_exchange_account, make_subscription, make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

BEFORE, DECISIONS = 150, 120  # candles
AFTER_CLOSE = timedelta(seconds=2)
FEE_ROUNDING = Decimal("1e-8")  # ours is rounded up, the exchange's to the nearest

HEADER = "import random\nfrom bot_sdk import Action, CustomBot\n\nclass Tried(CustomBot):\n"
METHOD = "    def execute_algorithm(self, data, timeframe, subscription_config=None):\n"
ASKING = (
    HEADER
    + METHOD
    + """
        held = self.get_position()
        price, before = self.get_current_price(), self.get_candles(2)["close"].iloc[0]
        told = [*held.values(), *self.get_account_info().values(), self.get_balance("USDT"), len(data)]
        facts = " ".join(f"{each:.4f}" if isinstance(each, float) else str(each) for each in told)
        if price > before:
            return Action("BUY", price, facts)
        return Action("SELL" if held["base_amount"] else "HOLD", price, facts)
"""
)
DRAWING = (
    HEADER
    + METHOD
    + """
        wish = random.choice(["BUY", "SELL", "HOLD", "HOLD"])
        return Action(wish, data["close"].iloc[-1], f"{random.random()}")
"""
)
BUYING = HEADER + METHOD + '        return Action("BUY", data["close"].iloc[-1], f"{data.iloc[-1].sum()}")\n'


class Told(NamedTuple):
    """One candle: what the bot said, and what became of it.

    `signal` is action, source, skip and reason; `fills` are side, amount, price and fee.
    """

    closed_at: datetime
    action: Action
    signal: tuple[str, str, str, str]
    fills: list[tuple[str, Decimal, Decimal, Decimal]]
    equity: float


class Outcome(NamedTuple):
    told: list[Told]
    holding: Holding


class Stage:
    """An exchange that plays given candles, and a clock that stands shortly after each one's close."""

    def __init__(self, simulator: Simulator, exchange: str, played: pd.DataFrame, clock: Any) -> None:
        self.simulator, self.exchange, self.played, self._clock = simulator, exchange, played, clock
        self._trader = make_user("bob")
        refresh_markets(exchange)
        self.market = Market.objects.get(exchange=exchange, trading_pair=PAIR)

    def subscribe(self, code: str, **settings: Any) -> tuple[Subscription, Subscription]:
        """Return two subscriptions of the same settings, on paper and at the exchange."""
        keys = self.simulator.trader(self.exchange, balances={"USDT": "100000", "BTC": "0"}).credentials
        account = make_exchange_account(
            self._trader,
            exchange=self.exchange,
            environment="LIVE",
            api_key=keys.api_key,
            secret=keys.secret,
        )
        bot = make_bot(code=code)
        common = {"bot": bot, "market": self.market, "timeframe": "1h"} | settings
        paper, live = (make_subscription(self._trader, account=place, **common) for place in (None, account))
        return paper, live

    def play(self, price_now: Callable[[int], float]) -> None:
        """Have the platform decide each candle at its close, at `price_now` of its row, without a spread."""
        for row in range(BEFORE, BEFORE + DECISIONS):
            opened_at = self.played.index[row].to_pydatetime()
            self._clock.move_to(opened_at + timedelta(hours=1) + AFTER_CLOSE)
            level = [[f"{price_now(row):.2f}", "100000"]]
            self.simulator.control(self.exchange.lower(), "depth", pair=PAIR, bids=level, asks=level)
            tasks.run_market(self.market.pk, "1h", opened_at.isoformat())

    def rehearse(self, subscription: Subscription, fill_at: FillAt) -> Outcome:
        """Run the subscription's bot over the candles that the platform has stored.

        What is decided at the next open needs the next candle.
        """
        last = self.played.index[BEFORE + DECISIONS - 1 + (fill_at == FillAt.NEXT_OPEN)].to_pydatetime()
        self._clock.move_to(last + timedelta(hours=1) + AFTER_CLOSE)
        candles.crawl(self.market, "1h", gateways.public_gateway(self.exchange), last, DECISIONS)
        stored = candles.window(self.market, "1h", last, 10_000)
        first = int(stored.index.searchsorted(self.played.index[BEFORE]))
        terms = Terms(
            capital=subscription.allocated_capital,
            rules=self.market.rules,
            execution=subscription.execution,
            risk=subscription.risk,
            fill_at=fill_at,
        )
        setup = Setup(self.exchange, PAIR, "1h", terms, subscription.strategy_config)
        said: dict[int, Action | str] = {}
        trial = Backtest(
            History(with_indicators(stored, "1h"), "1h", first=first),
            setup,
            heard=lambda answer: said.update({trial.row: answer}),
        )
        limits = Limits(seconds=300, memory_mb=256, cpu_percent=100)
        code = storage.read_code(subscription.version)
        run = sandbox.rehearse(trial, code, (), limits, is_strict=True, goes_on=lambda: True)
        assert run.verdict == Verdict.OK
        return outcome_of_backtest(trial, said)


def outcome_of_backtest(trial: Backtest, said: dict[int, Action | str]) -> Outcome:
    signals = {decision.closed_at: decision.signal for decision in trial.desk.decisions}
    fills = {fill.at: fill for fill in trial.desk.fills}
    told = []
    for (row, answer), equity in zip(said.items(), trial.worth().equity.tolist(), strict=True):
        assert isinstance(answer, Action)
        at = trial.history.closed_at(row)
        fill = fills.get(at)
        if at in signals:
            signal = signals[at].action, signals[at].source, str(signals[at].skip or ""), signals[at].reason
        elif fill is not None:
            signal = fill.side, fill.source, "", fill.reason
        else:
            signal = "HOLD", "bot", "", answer.reason
        filled = [] if fill is None else [(fill.side, fill.amount, fill.price, fill.fee)]
        told.append(Told(at, answer, signal, filled, equity))
    return Outcome(told, trial.desk.holding)


def outcome_of_cycles(subscription: Subscription) -> Outcome:
    told = []
    for cycle in Cycle.objects.of(subscription).order_by("candle_opened_at"):
        assert cycle.value is not None
        assert cycle.equity is not None
        action = Action(cycle.action, cycle.value, cycle.reason)
        signal = cycle.signal_action, cycle.signal_source, cycle.skip, cycle.signal_reason
        fills = Fill.objects.filter(order__subscription=subscription, order__cycle=cycle)
        filled = [(fill.order.side, fill.amount, fill.price, fill.fee) for fill in fills]
        told.append(Told(cycle.candle_closed_at, action, signal, filled, float(cycle.equity)))
    return Outcome(told, position_of(subscription).holding)


def assert_equal(
    found: Outcome, expected: Outcome, *, within: Decimal = ZERO, is_equity_at_close: bool = True
) -> None:
    """Compare each candle and the end; fees, and what they come to, may differ by `within` for each fill."""
    assert len(found.told) == DECISIONS
    for one, other in zip(found.told, expected.told[:DECISIONS], strict=True):
        assert one[:3] == other[:3]
        assert [fill[:3] for fill in one.fills] == [fill[:3] for fill in other.fills]
        for fill, as_expected in zip(one.fills, other.fills, strict=True):
            assert abs(fill[3] - as_expected[3]) <= within
        if is_equity_at_close:
            assert one.equity == pytest.approx(other.equity, rel=1e-12, abs=float(within) * DECISIONS)
    assert found.holding.base_amount == expected.holding.base_amount
    for name in ("quote_balance", "cost_basis", "realized_pnl", "fees_paid"):
        difference = getattr(found.holding, name) - getattr(expected.holding, name)
        assert abs(difference) <= within * DECISIONS


@pytest.fixture(autouse=True)
def roomy_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what an exchange takes in hours go in a minute."""
    for exchange, profile in ccxt_client.PROFILES.items():
        roomy = replace(profile, burst=100_000, key_burst=100_000)
        monkeypatch.setitem(ccxt_client.PROFILES, exchange, roomy)


@contextmanager
def staged(exchange: str, played: pd.DataFrame, settings: Settings) -> Iterator[Stage]:
    listing = LISTINGS["BTCUSDT"]
    begins_at = played.index[BEFORE].to_pydatetime()
    with (
        time_machine.travel(begins_at, tick=True) as clock,
        simulating(
            tapes={"BTCUSDT": CandleTape(played, listing.tick, listing.step)}, has_limits=False
        ) as simulator,
    ):
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", simulator.url
        settings.EXCHANGE_TESTNET_MODE = False
        gateways.public_gateway.cache_clear()
        yield Stage(simulator, exchange, played, clock)
        gateways.public_gateway.cache_clear()


def waves() -> pd.DataFrame:
    """Return hourly candles, each of which opens at the close of the one before."""
    played = wavy_candles(BEFORE + DECISIONS + 2)
    for name in ("open", "high", "low", "close"):
        played[name] = (played[name] * 100).round(2)
    return played


def steps() -> pd.DataFrame:
    """Return candles at whose opening the price jumps, and stays."""
    row = np.arange(BEFORE + DECISIONS + 2)
    return candles_of((10_000 + 900 * np.sin(row / 3) + 40 * (row % 5)).round(2).tolist(), volume=20.0)


def test_a_bots_decisions_and_money_are_the_same_in_every_mode(settings: Settings) -> None:
    examples = Path(bot_sdk.examples.__path__[0])
    full = {"buy_order_type": "ALL", "sell_order_type": "ALL"}
    small = {
        "buy_order_type": "FIXED",
        "buy_order_value": 900.0,
        "sell_order_type": "PERCENTAGE",
        "sell_order_value": 60.0,
    }
    played = waves()
    with staged("COINBASE", played, settings) as stage:
        pairs = [
            stage.subscribe(
                (examples / "rsi_bot.py").read_text(),
                strategy_config={"rsi_oversold": 45, "rsi_overbought": 55},
                execution_config=full,
                risk_config={},
            ),
            stage.subscribe(ASKING, execution_config=small, risk_config={"max_position_size": 40.0}),
            stage.subscribe(DRAWING, risk_config={"max_orders_per_day": 3}),
        ]
        stage.play(lambda row: played["close"].iloc[row])
        outcomes = [
            (stage.rehearse(paper, FillAt.CLOSE), outcome_of_cycles(paper), outcome_of_cycles(live))
            for paper, live in pairs
        ]

    for rehearsed, on_paper, at_exchange in outcomes:
        assert sum(bool(told.fills) for told in rehearsed.told) > 5
        assert_equal(on_paper, rehearsed)
        assert_equal(at_exchange, rehearsed, within=FEE_ROUNDING)
    skips = {told.signal[2] for rehearsed, *_ in outcomes for told in rehearsed.told}
    print(skips)
    assert {"position_limit", "orders_per_day", "no_position"} <= skips


def test_stops_sell_alike_in_every_mode_where_prices_jump(settings: Settings) -> None:
    played = steps()
    risk = {"stop_loss_percent": 3.0, "take_profit_percent": 6.0, "trailing_stop_percent": 2.0}
    with staged("KRAKEN", played, settings) as stage:
        paper, live = stage.subscribe(BUYING, risk_config=risk | {"max_daily_loss_percent": 5.0})
        stage.play(lambda row: played["open"].iloc[row + 1])
        rehearsed = stage.rehearse(paper, FillAt.NEXT_OPEN)
        on_paper, at_exchange = outcome_of_cycles(paper), outcome_of_cycles(live)

    sources = {told.signal[1] for told in rehearsed.told if told.fills}
    print(sources)
    assert sources == {"bot", "stop_loss", "take_profit", "trailing_stop"}
    assert_equal(on_paper, rehearsed, is_equity_at_close=False)
    assert_equal(at_exchange, rehearsed, within=FEE_ROUNDING, is_equity_at_close=False)
