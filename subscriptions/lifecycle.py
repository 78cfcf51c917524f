"""A subscription's life: it begins active, may pause and resume, and ends stopped."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import User
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.parameters import ConfigError, validate
from bots.models import Bot
from exchanges.models import Market, Timeframe
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription

MINIMUM_CAPITAL_IN_ORDERS = 2  # a smaller account could not even place one order after a loss
LARGEST_CAPITAL = 10**9  # in any quote currency; what it buys of the cheapest asset still fits the columns
STRATEGY_PREFIX = "strategy-"  # a bot may name a parameter as one of our own fields is named


def subscribe(
    *,
    trader: User,
    bot: Bot,
    exchange: str,
    trading_pair: str,
    timeframe: str,
    allocated_capital: Decimal,
    strategy_config: Mapping[str, Any],
    execution_config: Mapping[str, Any],
    risk_config: Mapping[str, Any],
) -> Subscription:
    """Start `bot` for `trader` on a paper account of `allocated_capital` (in the pair's quote currency).

    Raises ConfigError with one message per field for anything that is unknown, of the wrong type or out of
    range (a bot's own parameters are named with STRATEGY_PREFIX), and SubscriptionError when the bot cannot
    be subscribed to.
    """
    version = bot.current_version
    if version is None or bot.state != Bot.State.LISTED:
        raise SubscriptionError(
            f"{bot.name} takes no new subscribers. Choose another bot from the catalogue."
        )

    problems: dict[str, str] = {}
    market = _market(exchange, trading_pair, problems)
    timeframes = Timeframe.values if market is None else market.timeframes
    if timeframe not in timeframes:
        problems["timeframe"] = f"Expected one of {', '.join(timeframes)}, got {timeframe!r}."
    smallest = market.minimum_cost * MINIMUM_CAPITAL_IN_ORDERS if market else Decimal(0)
    if not allocated_capital.is_finite() or not 0 < allocated_capital <= LARGEST_CAPITAL:
        expected = f"an amount above zero and up to {LARGEST_CAPITAL:,}"
        problems["allocated_capital"] = f"Expected {expected}, got {allocated_capital}."
    elif market and allocated_capital < smallest:
        problems["allocated_capital"] = f"{market} needs at least {smallest.normalize():f} {market.quote}."
    declared = version.declared_parameters
    strategy = _collect(problems, validate, declared, strategy_config, prefix=STRATEGY_PREFIX)
    execution = _collect(problems, ExecutionConfig.parse, execution_config)
    risk = _collect(problems, RiskConfig.parse, risk_config)
    if problems or market is None:
        raise ConfigError(problems)

    return Subscription.objects.create(
        trader=trader,
        bot=bot,
        version=version,
        market=market,
        timeframe=timeframe,
        allocated_capital=allocated_capital,
        strategy_config=strategy,
        execution_config=execution.to_dict(),
        risk_config=risk.to_dict(),
    )


def pause(*, subscription: Subscription, reason: str = "") -> Subscription:
    """Stop deciding and ordering until `resume`; what is held stays. Pausing twice changes nothing."""
    return _move(
        subscription, to=Subscription.State.PAUSED, allowed=[Subscription.State.ACTIVE], reason=reason
    )


def resume(*, subscription: Subscription) -> Subscription:
    """Decide again from the next candle on. Resuming an active subscription changes nothing."""
    return _move(subscription, to=Subscription.State.ACTIVE, allowed=[Subscription.State.PAUSED], reason="")


def stop(*, subscription: Subscription) -> Subscription:
    """End the subscription for good; its record stays. Stopping twice changes nothing."""
    allowed = [Subscription.State.ACTIVE, Subscription.State.PAUSED]
    return _move(subscription, to=Subscription.State.STOPPED, allowed=allowed, reason="")


def _move(
    subscription: Subscription, *, to: Subscription.State, allowed: list[Subscription.State], reason: str
) -> Subscription:
    """Change the state under the row's lock, which an order also takes before it is sent."""
    with transaction.atomic():
        row = Subscription.objects.select_for_update(of=["self"]).with_names().get(pk=subscription.pk)
        if row.state != to:
            if row.state not in allowed:
                raise SubscriptionError(
                    f"This subscription is {row.get_state_display().lower()} and stays so."
                )
            row.state = to
            row.state_reason = reason
            row.save(update_fields=["state", "state_reason"])
    return row


def _market(exchange: str, trading_pair: str, problems: dict[str, str]) -> Market | None:
    if exchange not in settings.SUPPORTED_EXCHANGES:
        expected = ", ".join(settings.SUPPORTED_EXCHANGES)
        problems["exchange_type"] = f"Expected one of {expected}, got {exchange!r}."
        return None
    market = Market.objects.tradable().filter(exchange=exchange, trading_pair=trading_pair).first()
    if market is None:
        problems["trading_pair"] = f"{exchange} has no pair {trading_pair!r} here. Choose one from the list."
    return market


def _collect(problems: dict[str, str], parse: Callable[..., Any], *given: Any, prefix: str = "") -> Any:
    """Return what `parse` makes of its arguments; or None, with its problems added to the others."""
    try:
        return parse(*given)
    except ConfigError as error:
        problems.update({prefix + name: message for name, message in error.problems.items()})
        return None
