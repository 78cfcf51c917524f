from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from bot_sdk.parameters import ConfigError, Parameter
from bots.models import Bot, BotVersion
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription
from tests.factories import make_bot, make_market, make_subscription

pytestmark = pytest.mark.django_db

PERIOD = Parameter("period", "integer", 14, minimum=2, maximum=100)


def subscribe(trader: User, **overrides: Any) -> Subscription:
    make_market()
    values: dict[str, Any] = {
        "bot": overrides.pop("bot", None) or make_bot(parameters=[PERIOD]),
        "exchange": "BINANCE",
        "trading_pair": "BTC/USDT",
        "timeframe": "1h",
        "allocated_capital": Decimal(1000),
        "strategy_config": {},
        "execution_config": {
            "buy_order_type": "PERCENTAGE",
            "buy_order_value": 10.0,
            "sell_order_type": "ALL",
        },
        "risk_config": {"stop_loss_percent": 5.0},
    }
    return lifecycle.subscribe(trader=trader, **values | overrides)


def test_subscribing_keeps_what_the_trader_chose_and_fills_in_defaults(bob: User) -> None:
    subscription = subscribe(bob)

    assert subscription.state == Subscription.State.ACTIVE
    assert subscription.strategy_config == {"period": 14}
    assert subscription.execution_config["buy_order_value"] == 10.0
    assert subscription.risk_config == {"stop_loss_percent": 5.0}
    assert subscription.version == subscription.bot.current_version


@pytest.mark.parametrize(
    ("field", "overrides"),
    [
        ("exchange_type", {"exchange": "FTX"}),
        ("exchange_type", {"exchange": "binance"}),
        ("trading_pair", {"trading_pair": "BTC/USDT; DROP"}),
        ("trading_pair", {"exchange": "KRAKEN"}),
        ("timeframe", {"timeframe": "7m"}),
        ("allocated_capital", {"allocated_capital": Decimal("9.99")}),
        ("allocated_capital", {"allocated_capital": Decimal(0)}),
        ("allocated_capital", {"allocated_capital": Decimal("NaN")}),
        ("allocated_capital", {"allocated_capital": Decimal(10**9 + 1)}),
        ("strategy-period", {"strategy_config": {"period": 1}}),
        ("strategy-period", {"strategy_config": {"period": "x"}}),
        ("strategy-__class__", {"strategy_config": {"__class__": 1}}),
        ("buy_order_value", {"execution_config": {"buy_order_type": "PERCENTAGE", "sell_order_type": "ALL"}}),
        ("stop_loss_percent", {"risk_config": {"stop_loss_percent": 0}}),
    ],
)
def test_a_bad_value_is_refused_at_its_field(bob: User, field: str, overrides: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        subscribe(bob, **overrides)

    assert list(caught.value.problems) == [field]
    assert not Subscription.objects.exists()


def test_a_market_without_minimum_still_needs_capital(bob: User) -> None:
    make_market(trading_pair="ETH/USDT", minimum_cost=Decimal(0))

    with pytest.raises(ConfigError, match="allocated_capital: Expected an amount above zero"):
        subscribe(bob, trading_pair="ETH/USDT", allocated_capital=Decimal(0))


def test_a_parameter_named_like_a_limit_keeps_its_own_problem(bob: User) -> None:
    bot = make_bot(parameters=[Parameter("stop_loss_percent", "number", 1.0, maximum=2)])

    with pytest.raises(ConfigError) as caught:
        subscribe(bob, bot=bot, strategy_config={"stop_loss_percent": 3})

    assert list(caught.value.problems) == ["strategy-stop_loss_percent"]


def test_a_timeframe_that_the_exchange_lacks_is_refused(bob: User) -> None:
    make_market(exchange="COINBASE", trading_pair="BTC/USD")

    with pytest.raises(ConfigError, match="Expected one of 1m, 5m, 15m, 30m, 1h, 1d, got '4h'"):
        subscribe(bob, exchange="COINBASE", trading_pair="BTC/USD", timeframe="4h")


def test_all_problems_are_told_at_once(bob: User) -> None:
    with pytest.raises(ConfigError) as caught:
        subscribe(bob, timeframe="7m", risk_config={"stop_loss_percent": -1}, strategy_config={"period": 0})

    assert set(caught.value.problems) == {"timeframe", "stop_loss_percent", "strategy-period"}


def test_a_bot_without_a_running_version_takes_nobody(bob: User) -> None:
    bot = make_bot()
    bot.versions.update(state=BotVersion.State.PULLED)

    with pytest.raises(SubscriptionError, match="takes no new subscribers"):
        subscribe(bob, bot=bot)


def test_a_retired_bot_takes_nobody(bob: User) -> None:
    with pytest.raises(SubscriptionError, match="takes no new subscribers"):
        subscribe(bob, bot=make_bot_in(Bot.State.RETIRED))


def make_bot_in(state: Bot.State) -> Bot:
    bot = make_bot()
    bot.state = state
    bot.save()
    return bot


def test_pausing_twice_changes_nothing() -> None:
    subscription = make_subscription()

    lifecycle.pause(subscription=subscription)
    paused = lifecycle.pause(subscription=subscription)

    assert paused.state == Subscription.State.PAUSED


def test_resuming_makes_it_active_again() -> None:
    subscription = make_subscription()
    lifecycle.pause(subscription=subscription, reason="Paused by staff.")

    resumed = lifecycle.resume(subscription=subscription)

    assert (resumed.state, resumed.state_reason) == (Subscription.State.ACTIVE, "")


def test_a_stopped_subscription_stays_stopped() -> None:
    subscription = lifecycle.stop(subscription=make_subscription())

    for change in (lifecycle.pause, lifecycle.resume):
        with pytest.raises(SubscriptionError, match="is stopped and stays so"):
            change(subscription=subscription)


def test_a_person_sees_their_own_subscriptions_only(bob: User, charlie: User) -> None:
    mine = make_subscription(bob)
    make_subscription(charlie)

    assert list(Subscription.objects.of(bob)) == [mine]
