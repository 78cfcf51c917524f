"""The one path from candles to a signal: crawl → indicators → algorithm → risk → signal.

The first two steps are a market's business and are done once for all its subscriptions (`MarketView`);
the others are done for each subscription (`execute_full_cycle`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from bot_sdk.account import snapshot_of
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.indicators import add_indicators
from bot_sdk.ledger import Holding
from bot_sdk.risk import Signal, decide
from bot_sdk.timeframes import duration
from exchanges import candles
from exchanges.gateway import PublicGateway, Ticker
from exchanges.models import Market
from execution.sandbox import Job, Limits, Run, encode_frame
from execution.sandbox import run as run_confined

WARM_UP_CANDLES = 500  # before the window, so that recursive indicators such as EMA 200 have settled
WINDOW_CANDLES = 500  # what a bot sees
SHORTEST_RUN_SECONDS = 1.0
FRESH_SHARE_OF_CANDLE = 0.5  # a signal older than half its candle never trades


def stale_at(timeframe: str, closed_at: datetime) -> datetime:
    """Return when a signal on the candle that closed at `closed_at` has become too old to trade on."""
    return closed_at + FRESH_SHARE_OF_CANDLE * duration(timeframe)


@dataclass(frozen=True)
class MarketView:
    """One market at the close of one candle: all that its subscriptions' cycles share.

    `frame` is the encoded window with indicator columns that bots read; `ticker` is the market's price now.
    """

    market: Market
    timeframe: str
    opened_at: datetime
    frame: bytes
    ticker: Ticker

    @property
    def stale_at(self) -> datetime:
        """When a signal on this candle has become too old to trade on."""
        return stale_at(self.timeframe, self.opened_at + duration(self.timeframe))


@dataclass(frozen=True)
class Decision:
    """How the confined run ended, what the bot said, and the signal that came of it."""

    run: Run
    signal: Signal


def view_market(market: Market, timeframe: str, opened_at: datetime, gateway: PublicGateway) -> MarketView:
    """Crawl closed candles up to the one opened at `opened_at`, add indicators, and read the ticker.

    Raises CandleNotReady when the exchange does not have that candle yet and ExchangeUnavailable when it
    does not answer; both are worth another try.
    """
    count = WARM_UP_CANDLES + WINDOW_CANDLES
    candles.crawl(market, timeframe, gateway, opened_at, count)
    frame = add_indicators(candles.window(market, timeframe, opened_at, count)).iloc[-WINDOW_CANDLES:]
    ticker = gateway.fetch_ticker(market.trading_pair)
    return MarketView(market, timeframe, opened_at, encode_frame(frame), ticker)


def execute_full_cycle(
    timeframe: str,
    subscription_config: Mapping[str, Any],
    *,
    code: str,
    view: MarketView,
    holding: Holding,
    allocated_capital: Decimal,
) -> Decision:
    """Run the bot's algorithm confined on the view, then risk management; return what to do.

    The bot has until its signal would be stale, and no longer than the platform's limit. A run that ends in
    anything but OK is no wish of the bot's: only a stop can then still sell. Nothing is written and nothing
    is sent here.
    """
    job = Job(
        code=code,
        frame=view.frame,
        timeframe=timeframe,
        config=subscription_config["strategy_config"],
        subscription_config=subscription_config,
        snapshot=snapshot_of(holding, view.ticker.last, view.market.trading_pair),
    )
    seconds_left = (view.stale_at - timezone.now()).total_seconds()
    result = run_confined(job, limits(seconds_left))
    return conclude(
        result, subscription_config, view=view, holding=holding, allocated_capital=allocated_capital
    )


def conclude(
    run: Run,
    subscription_config: Mapping[str, Any],
    *,
    view: MarketView,
    holding: Holding,
    allocated_capital: Decimal,
) -> Decision:
    """Put what the bot said, or that it said nothing, through risk management."""
    signal = decide(
        action=run.action,
        holding=holding,
        bid=view.ticker.bid,
        ask=view.ticker.ask,
        rules=view.market.rules,
        execution=ExecutionConfig.parse(subscription_config["execution_config"]),
        risk=RiskConfig.parse(subscription_config["risk_config"]),
        allocated_capital=allocated_capital,
    )
    return Decision(run, signal)


def limits(seconds_left: float) -> Limits:
    """Return the platform's limits for a run that must end within `seconds_left`."""
    return Limits(
        seconds=max(SHORTEST_RUN_SECONDS, min(settings.BOT_EXECUTION_TIMEOUT, seconds_left)),
        memory_mb=settings.BOT_MAX_MEMORY_MB,
        cpu_percent=settings.BOT_MAX_CPU_PERCENT,
    )
