"""Markets, candles and bots for tests of what a wave of subscriptions decides."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from bot_sdk.timeframes import last_closed
from exchanges.gateway import SETTLING
from exchanges.gateways import public_gateway
from exchanges.markets import refresh_markets
from exchanges.models import Market
from execution import wave
from execution.cycle import MarketView, view_market
from execution.models import Cycle
from subscriptions.models import Subscription
from tests.exchanges.simulated import PAIR, Simulator
from tests.execution.test_settling import EXCHANGES, simulator, subscribed
from tests.factories import make_subscription

__all__ = ["simulator"]  # a fixture

HEADER = "from bot_sdk import Action, CustomBot\nclass Bot(CustomBot):\n"
SELLING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return Action('SELL', 1.0, 'sells')\n"
SLEEPING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): import time; time.sleep(600)\n"
RAISING_BOT = HEADER + "    def execute_algorithm(self, d, t, s=None): return 1 / 0\n"


@pytest.fixture
def market(request: pytest.FixtureRequest, simulator: Simulator) -> Market:
    """A market, at a price that stands still, of the exchange that the test names or else of Binance."""
    exchange: str = getattr(request, "param", "BINANCE")
    simulator.control(exchange.lower(), "price", pair=PAIR, price="60000")
    refresh_markets(exchange)
    return Market.objects.get(exchange=exchange, trading_pair=PAIR)


at_each_exchange = pytest.mark.parametrize("market", EXCHANGES, indirect=True)


@pytest.fixture
def opened_at() -> datetime:
    """The newest hourly candle that exchanges show, at the turn of the hour too."""
    return last_closed("1h", timezone.now() - 2 * SETTLING)


@pytest.fixture
def view(market: Market, opened_at: datetime) -> MarketView:
    return view_market(market, "1h", opened_at, public_gateway(market.exchange))


def decide(view: MarketView, *subscriptions: Subscription) -> list[Cycle]:
    due = Subscription.objects.filter(pk__in=[each.pk for each in subscriptions]).order_by("pk")
    cycles = wave.claim(due.to_decide(), view.timeframe, view.opened_at)
    wave.decide_all(view, cycles)
    return [Cycle.objects.get(pk=cycle.pk) for cycle in cycles]


def swap_code(subscription: Subscription) -> None:
    code = subscription.version.artifacts.get()
    Path(storages["artifacts"].path(code.key), code.object_version).write_bytes(b"print('swapped')")


def hourly(market: Market, **overrides: Any) -> Subscription:
    """A subscription on paper."""
    return make_subscription(market=market, timeframe="1h", **overrides)


@pytest.fixture
def hourly_at_exchange(simulator: Simulator) -> Callable[..., Subscription]:  # noqa: F811
    """Make a subscription whose orders go to an account of its own at the market's exchange."""

    def make(market: Market, **overrides: Any) -> Subscription:
        return subscribed(simulator.trader(market.exchange), market=market, timeframe="1h", **overrides)

    return make


CHOOSING_BOT = HEADER + (
    "    def execute_algorithm(self, d, t, s=None):\n"
    "        print(self.config['length'], s['risk_config'])\n"
    "        return Action('HOLD', float(self.config['length']), f'length {self.config['length']}')\n"
)
