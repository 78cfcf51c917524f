"""Made-up markets to try a bot on: the same candles each time, on every machine, without a network.

They are no forecast and no judge of profit. Between them a bot meets a rising, a falling, a quiet and a
nervous market, prices from a hundred-thousandth to tens of thousands, and a quote that is not USDT.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from bot_sdk.account import CANDLE_COLUMNS
from bot_sdk.configs import ALL, PERCENTAGE, ExecutionConfig, RiskConfig
from bot_sdk.desk import USUAL_SLIPPAGE_PERCENT, Terms
from bot_sdk.history import History, with_indicators
from bot_sdk.market_rules import MarketRules
from bot_sdk.timeframes import duration

# Both ends and the middle of what bots are made for.
SAMPLE_TIMEFRAMES = ("1m", "5m", "1h", "1d")
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_FEE_FRACTION = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class SampleMarket:
    """A market that follows a random walk from `seed`.

    `price` is the first one, in quote per base, a multiple of `price_tick`. `drift` and `volatility` are the
    mean and the deviation of a candle's logarithmic return. `capital` and `minimum_cost` are in quote.
    """

    trading_pair: str
    price: float
    price_tick: Decimal
    drift: float
    volatility: float
    capital: Decimal
    minimum_cost: Decimal
    seed: int

    def candles(self, timeframe: str, count: int) -> pd.DataFrame:
        """Return so many candles, the first of which opens in January 2025."""
        drawn = np.random.default_rng(self.seed)
        steps = drawn.normal(self.drift, self.volatility, count)
        # Long trends in turn, as real markets have them.
        swings = 30 * self.volatility * np.sin(np.arange(count) / 40)
        close = self.price * np.exp(np.cumsum(steps) + swings)
        before = np.append(self.price, close[:-1])
        reach = np.abs(drawn.normal(0, self.volatility, (2, count))) / 2
        tick = float(self.price_tick)
        prices = {
            "open": before,
            "high": np.maximum(before, close) * (1 + reach[0]),
            "low": np.minimum(before, close) * (1 - reach[1]),
            "close": close,
        }
        digits = -int(self.price_tick.as_tuple().exponent)
        columns = {
            name: np.maximum(np.round(np.round(values / tick) * tick, digits), tick)
            for name, values in prices.items()
        }
        columns["volume"] = np.round(drawn.lognormal(3, 1, count), 3)
        return pd.DataFrame(columns, index=_opened_at(timeframe, count))

    def terms(self, capital: Decimal | None = None) -> Terms:
        """Return what a trader with 10 % per order and no risk limits gets here; `capital` is in quote."""
        return Terms(
            capital=self.capital if capital is None else capital,
            rules=MarketRules(
                price_tick=self.price_tick,
                amount_step=Decimal("0.00001"),
                minimum_amount=Decimal("0.00001"),
                minimum_cost=self.minimum_cost,
                taker_fee_fraction=_FEE_FRACTION,
            ),
            execution=ExecutionConfig.parse(
                {"buy_order_type": PERCENTAGE, "buy_order_value": Decimal(10), "sell_order_type": ALL}
            ),
            risk=RiskConfig.parse({}),
            slippage_percent=USUAL_SLIPPAGE_PERCENT,
        )


REFERENCE = SampleMarket(
    "BTC/USDT", 60_000.0, Decimal("0.01"), 0.0, 0.004, Decimal(10_000), Decimal(10), seed=1
)
SAMPLE_MARKETS = (
    REFERENCE,
    SampleMarket("ETH/BTC", 0.05, Decimal("0.00001"), -0.0005, 0.002, Decimal(1), Decimal("0.0001"), seed=2),
    SampleMarket("SOL/EUR", 150.0, Decimal("0.01"), 0.001, 0.006, Decimal(10_000), Decimal(5), seed=3),
    SampleMarket("SHIB/USDT", 0.00002, Decimal("0.00000001"), 0.0, 0.02, Decimal(10_000), Decimal(1), seed=4),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One market and history that a bot is tried on; `name` says what is special about it."""

    name: str
    trading_pair: str
    history: History
    terms: Terms


ASKED = 30  # candles in each dry run
ASKED_OF_REFERENCE = 300


def reference_scene(warm_up: int) -> Scene:
    """Return the market on which most is tried, for a bot that needs so many candles to begin with."""
    candles = REFERENCE.candles("1h", warm_up - 1 + ASKED_OF_REFERENCE)
    history = History(with_indicators(candles, "1h"), "1h", first=warm_up - 1)
    return Scene(f"{REFERENCE.trading_pair} 1h", REFERENCE.trading_pair, history, REFERENCE.terms())


@functools.lru_cache(maxsize=4)
def dry_run_scenes(warm_up: int) -> tuple[Scene, ...]:
    """Return the markets and accidents that such a bot has to get through, thirty candles each."""
    count = warm_up - 1 + ASKED
    ordinary = [
        _scene(f"{market.trading_pair} {timeframe}", market, timeframe, market.candles(timeframe, count))
        for market in SAMPLE_MARKETS
        for timeframe in SAMPLE_TIMEFRAMES
    ]
    hourly = REFERENCE.candles("1h", count)
    tiny = REFERENCE.terms(Decimal("0.01"))
    return (
        *ordinary,
        _scene("a market that has just begun", REFERENCE, "1h", REFERENCE.candles("1h", ASKED)),
        _scene("a price that never moves and no trade", REFERENCE, "1h", _flat(hourly)),
        _scene("candles missing here and there", REFERENCE, "1h", _gapped(REFERENCE, count)),
        _scene("a balance that buys nothing", REFERENCE, "1h", hourly, tiny),
    )


def _scene(
    name: str, market: SampleMarket, timeframe: str, candles: pd.DataFrame, terms: Terms | None = None
) -> Scene:
    history = History(with_indicators(candles, timeframe), timeframe, first=len(candles) - ASKED)
    return Scene(name, market.trading_pair, history, terms or market.terms())


def _flat(candles: pd.DataFrame) -> pd.DataFrame:
    price = candles["open"].iloc[0]
    flat = pd.DataFrame(price, index=candles.index, columns=CANDLE_COLUMNS)
    return flat.assign(volume=0.0)


def _gapped(market: SampleMarket, count: int) -> pd.DataFrame:
    """Return candles of which one in twenty is missing, and two in a row once: no outage, only thin trade."""
    candles = market.candles("1h", count + count // 10 + 3)
    row = np.arange(len(candles))
    there = np.flatnonzero((row % 20 != 10) & (row % 200 != 11))
    return candles.iloc[there[-count:]]


def _opened_at(timeframe: str, count: int) -> pd.DatetimeIndex:
    return pd.date_range(_BEGIN, periods=count, freq=duration(timeframe), name="opened_at")
