"""From a subscription that tries a bot without real money to one that trades with it.

It is a step of its own, and the only one that begins with real money: another subscription begins, with the
same settings and capital of its own, in the version that the bot offers now. What was tried goes on beside it
or is stopped, as its trader wants.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from bot_sdk.configs import FIXED, PERCENTAGE
from bot_sdk.parameters import ConfigError
from bots.models import Bot, BotVersion
from exchanges.models import ExchangeAccount, ExchangeAccountQuerySet
from exchanges.templatetags.amounts import money
from subscriptions import changing, lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import Subscription
from subscriptions.risk_words import loss_sentences, risk_sentences
from subscriptions.setting_words import Difference, differences

CONFIRMATION = "I want this bot to trade with my real money, and I can afford to lose it"
NOT_CONFIRMED = "Confirm this if you mean it. Nothing was started."
OTHER_VERSION = "{version} is offered by now, not what this page began with. Look at it again."


@dataclass(frozen=True, slots=True)
class Check:
    """Something that has to be so before real money is used, in words."""

    words: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What going live would do, for its trader to look at first.

    `allocated_capital` is in quote, `revision` the subscription's, `version` the one that would begin (None:
    none is offered), `problems` what is wrong beside checks that are not met, `differences` are to what runs
    now, `loss` is what can be lost, in sentences, and `confirmation` what the trader has to agree to.
    """

    account: ExchangeAccount | None
    allocated_capital: Decimal
    revision: int
    checks: list[Check]
    problems: list[str]
    version: BotVersion | None
    differences: list[Difference]
    loss: list[str]
    confirmation: str = CONFIRMATION

    @property
    def is_ready(self) -> bool:
        return not self.problems and all(check.is_met for check in self.checks)


def refuse_others(subscription: Subscription) -> None:
    """Raise SubscriptionError for what is live already or has ended. Select its `account` beforehand."""
    if subscription.is_live or subscription.state not in changing.CHANGEABLE:
        raise SubscriptionError("Only what runs without real money, or is paused, can go live.")


def accounts_for(subscription: Subscription) -> ExchangeAccountQuerySet:
    """Return the trader's live accounts at the exchange of its market."""
    own = ExchangeAccount.objects.with_access().filter(owner=subscription.trader_id)
    live = own.filter(environment=ExchangeAccount.Environment.LIVE)
    return live.filter(exchange=subscription.market.exchange).order_by("label")


def checks(
    subscription: Subscription, *, account: ExchangeAccount | None, allocated_capital: Decimal
) -> list[Check]:
    """Return what has to be so, and whether it is. Select bot, market and account beforehand."""
    bot, market = subscription.bot, subscription.market
    buy = usual_buy(subscription, allocated_capital)
    fits = account is not None and account.is_live and account.exchange == market.exchange
    is_verified = account is not None and account.state == ExchangeAccount.State.ACTIVE
    cannot_withdraw = account is not None and account.permissions.get("can_withdraw") is False
    named = account.label if account else f"Your account at {market.get_exchange_display()}"
    return [
        Check(
            "Live trading is switched on by who runs this marketplace.", not settings.EXCHANGE_TESTNET_MODE
        ),
        Check(f"{bot.name} takes new subscriptions.", bot.state == Bot.State.LISTED),
        Check(f"{bot.name} is not your own bot.", bot.developer_id != subscription.trader_id),
        Check(f"You have an account with real money at {market.get_exchange_display()}.", fits),
        Check(f"{named}: the exchange accepts its key.", is_verified),
        Check(f"{named}: its key cannot withdraw or transfer funds.", cannot_withdraw),
        Check(
            f"A buy of about {money(buy, market.quote)} is no less than the smallest order there, "
            f"{money(market.minimum_cost, market.quote)}.",
            buy >= market.minimum_cost,
        ),
    ]


def usual_buy(subscription: Subscription, allocated_capital: Decimal) -> Decimal:
    """Return about what one buy would spend of that capital, in quote."""
    sizing, risk = subscription.execution, subscription.risk
    wanted = {
        PERCENTAGE: allocated_capital * (sizing.buy_order_value or 0) / 100,
        FIXED: sizing.buy_order_value or Decimal(0),
    }.get(sizing.buy_order_type, allocated_capital)
    return min(wanted, allocated_capital * (risk.max_position_size or 100) / 100)


def preview(
    subscription: Subscription, *, account: ExchangeAccount | None, allocated_capital: Decimal
) -> Preview:
    """Return what `go_live` would do with that capital, in quote, and what is in its way.

    Select bot, version, market, account and trader beforehand.
    """
    found = checks(subscription, account=account, allocated_capital=allocated_capital)
    problems: list[str] = []
    if account is not None and all(check.is_met for check in found):
        try:
            planned(subscription=subscription, account=account, allocated_capital=allocated_capital)
        except ConfigError as error:
            problems = list(error.problems.values())
        except SubscriptionError as error:
            problems = [str(error)]
    version, now = subscription.bot.current_version, changing.settings_of(subscription)
    risk, market = subscription.risk, subscription.market
    return Preview(
        account=account,
        allocated_capital=allocated_capital,
        revision=subscription.revision,
        checks=found,
        problems=problems,
        version=version,
        differences=differences(now, changing.moved(subscription, version)) if version else [],
        loss=risk_sentences(capital=allocated_capital, risk=risk, market=market, account=account)
        if account
        else loss_sentences(capital=allocated_capital, risk=risk, market=market),
    )


def planned(
    *, subscription: Subscription, account: ExchangeAccount, allocated_capital: Decimal
) -> Subscription:
    """Return what going live would start, not saved. Raises ConfigError and SubscriptionError."""
    unmet = [
        check.words
        for check in checks(subscription, account=account, allocated_capital=allocated_capital)
        if not check.is_met
    ]
    if unmet:
        raise SubscriptionError(f"This has to be so first: {unmet[0]}")
    version = subscription.bot.current_version
    if version is None:
        raise SubscriptionError(f"No version of {subscription.bot.name} is offered now.")
    wanted = changing.moved(subscription, version)
    assert subscription.trader is not None  # the marketplace's own runs stay on paper
    live = lifecycle.planned(
        trader=subscription.trader,
        bot=subscription.bot,
        exchange=subscription.market.exchange,
        trading_pair=subscription.market.trading_pair,
        timeframe=subscription.timeframe,
        allocated_capital=allocated_capital,
        strategy_config=wanted.strategy_config,
        execution_config=wanted.execution_config,
        risk_config=wanted.risk_config,
        account=account,
    )
    live.rehearsal = subscription
    return live


@transaction.atomic
def go_live(
    *,
    subscription: Subscription,
    account: ExchangeAccount,
    allocated_capital: Decimal,
    revision: int,
    version: str,
    is_confirmed: bool,
    stops_rehearsal: bool,
) -> Subscription:
    """Start trading with real money as `subscription` does without it; return what was started.

    `allocated_capital` is in quote; `revision` is that of the subscription, and `version` the number of the
    version that is to begin, as its trader saw them; `is_confirmed` that they agreed to CONFIRMATION. Whoever
    calls it has just had their password or second factor. Once it is live on an account it does not go live
    there again until that is stopped. Raises ConfigError and SubscriptionError; nothing is started then.
    """
    if not is_confirmed:
        raise ConfigError({"is_confirmed": NOT_CONFIRMED})
    tried = Subscription.objects.select_for_update(of=["self"]).with_names().get(pk=subscription.pk)
    refuse_others(tried)
    if tried.revision != revision:
        raise SubscriptionError(changing.SEEN_OTHERWISE)
    if tried.gone_live.filter(account=account).exclude(state=Subscription.State.STOPPED).exists():
        raise SubscriptionError(f"It is live on {account.label} already. Stop that one first.")
    live = planned(subscription=tried, account=account, allocated_capital=allocated_capital)
    if live.version.number != version:
        raise SubscriptionError(OTHER_VERSION.format(version=live.version.number))
    live.save()
    if stops_rehearsal:
        lifecycle.stop(subscription=tried)
    return live
