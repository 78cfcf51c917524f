"""A subscription's life: it begins active, may pause and resume, may sell what it holds, and ends stopped."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce, Greatest
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import audit
from accounts.models import Event, User
from accounts.notifying import notify
from bot_sdk.configs import ExecutionConfig, RiskConfig
from bot_sdk.money import FEE_STEP
from bot_sdk.parameters import ConfigError, Parameter, validate
from bots.models import Bot, BotVersion
from exchanges.models import Exchange, ExchangeAccount, Market, Timeframe
from subscriptions.errors import BeginsWithoutRealMoney, StaffDoNotTrade, SubscriptionError
from subscriptions.models import Subscription, SubscriptionQuerySet

MINIMUM_CAPITAL_IN_ORDERS = 2  # a smaller account could not even place one order after a loss
LARGEST_CAPITAL = 10**9  # in any quote currency; what it buys of the cheapest asset still fits the columns
CLOCKS_APART = timedelta(seconds=60)  # how much earlier than we an exchange may date what was bought
QUIET_PAUSE_SECONDS = 0.05
STRATEGY_PREFIX = "strategy-"  # a bot may name a parameter as one of our own fields is named


class Wish(TypedDict):
    """What a new subscription is made from; `allocated_capital` is in the pair's quote currency."""

    trader: User
    bot: Bot
    exchange: str
    trading_pair: str
    timeframe: str
    allocated_capital: Decimal
    strategy_config: Mapping[str, Any]
    execution_config: Mapping[str, Any]
    risk_config: Mapping[str, Any]
    account: NotRequired[ExchangeAccount | None]  # None, or left out, is paper


@transaction.atomic
def subscribe(**wish: Unpack[Wish]) -> Subscription:
    """Start a bot for a trader without real money, with capital that is this subscription's alone.

    On an exchange's test account it has to be free, and not set aside for other subscriptions.

    Raises ConfigError with one message per field for anything that is unknown, of the wrong type or out of
    range (a bot's own parameters are named with STRATEGY_PREFIX), SubscriptionError when the bot cannot be
    subscribed to, or by its developer on paper only, StaffDoNotTrade, and BeginsWithoutRealMoney for a live
    account: only `going_live.go_live` uses one.
    """
    account = wish.get("account")
    if account is not None and account.is_live:
        raise BeginsWithoutRealMoney(
            f"{account.label} has real money. Start without it, and go live with what runs then."
        )
    subscription = planned(**wish)
    subscription.save()
    return subscription


@transaction.atomic
def planned(
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
    account: ExchangeAccount | None = None,
) -> Subscription:
    """Return the subscription that would start now, not saved, on a live account, too.

    Raises what `subscribe` raises, but for BeginsWithoutRealMoney.
    """
    refuse_staff(trader)
    version = bot.current_version
    if version is None or bot.state != Bot.State.LISTED:
        raise SubscriptionError(
            f"{bot.name} takes no new subscribers. Choose another bot from the catalogue."
        )

    if bot.developer_id == trader.pk and account and account.needs_keys:
        raise SubscriptionError(f"{bot.name} is your own bot: you may run it on paper only.")

    problems: dict[str, str] = {}
    market = find_market(exchange, trading_pair, problems)
    timeframes = Timeframe.values if market is None else market.timeframes
    if timeframe not in timeframes:
        problems["timeframe"] = f"Expected one of {', '.join(timeframes)}, got {timeframe!r}."
    if problem := problem_of_capital(market, allocated_capital):
        problems["allocated_capital"] = problem
    if account is not None:
        problems |= account_problems(trader, account, exchange, market, allocated_capital)
    settings_given = strategy_config, execution_config, risk_config
    strategy, execution, risk = parse_settings(problems, version.declared_parameters, *settings_given)
    if problems or market is None:
        raise ConfigError(problems)

    return Subscription(
        trader=trader,
        bot=bot,
        version=version,
        account=account,
        market=market,
        timeframe=timeframe,
        allocated_capital=allocated_capital,
        strategy_config=strategy,
        execution_config=execution.to_dict(),
        risk_config=risk.to_dict(),
    )


def pause(*, subscription: Subscription, reason: str = "") -> Subscription:
    """Stop deciding and ordering until `resume`; what is held stays. Pausing twice changes nothing.

    When it returns no further order is sent: it waits for one that may be leaving just now.
    """
    paused = _move(subscription, to=Subscription.State.PAUSED, allowed=Subscription.SENDING, reason=reason)
    wait_until_quiet(Subscription.objects.filter(pk=paused.pk))
    return paused


def pause_by_staff(*, subscription: Subscription, staff: User) -> Subscription:
    """Pause as the trader could, and write into the audit log who did. Raises SubscriptionError."""
    with transaction.atomic():
        reason = "Paused by staff."
        paused = _move(
            subscription, to=Subscription.State.PAUSED, allowed=Subscription.SENDING, reason=reason
        )
        _tell_of_pause([paused], "subscriptions/paused.txt")
        audit.record(actor=staff, action="subscription.pause", target=paused)
    wait_until_quiet(Subscription.objects.filter(pk=paused.pk))
    return paused


def pause_and_tell(*, subscriptions: Iterable[Subscription], reason: str) -> None:
    """Pause what cannot go on by itself, and have each trader told in one message.

    What has been stopped stays so.
    """
    told: dict[int | None, list[Subscription]] = {}
    for subscription in subscriptions:
        with suppress(SubscriptionError):
            paused = pause(subscription=subscription, reason=reason[:200])
            told.setdefault(paused.trader_id, []).append(paused)
    for each in told.values():
        _tell_of_pause(each, "subscriptions/paused.txt")


def settle_stopped(*, bot_id: int) -> list[list[int]]:
    """Wait until no order of what staff have stopped at a bot can be leaving; return it by trader.

    Those subscriptions stay active, since their stops act.
    """
    subscriptions = Subscription.objects.filter(bot=bot_id, state=Subscription.State.ACTIVE)
    stopped = subscriptions.exclude(pk__in=subscriptions.asked())
    stopped = stopped.exclude(version__state=BotVersion.State.QUARANTINED, bot__state__in=Bot.RUNNING)
    wait_until_quiet(stopped)
    told: dict[int | None, list[int]] = {}
    for pk, trader in stopped.values_list("pk", "trader"):
        told.setdefault(trader, []).append(pk)
    return list(told.values())


def tell_of_stopped_bot(*, subscriptions: Iterable[Subscription]) -> None:
    """Tell the trader of these subscriptions, which are one person's, that staff have stopped the bot.

    The same is told once a day.
    """
    stopped = [each for each in subscriptions if not each.is_asked]
    if not stopped:
        return
    bot = stopped[0].bot
    context = {"subscriptions": stopped, "bot": bot, "site": settings.PUBLIC_URL}
    letter = render_to_string("subscriptions/bot_stopped.txt", context)
    digest = hashlib.sha256(letter.encode()).hexdigest()
    notify(
        people=[stopped[0].trader_id],
        event=Event.VERSION,
        subject=f"{bot.name} was stopped by staff",
        text=letter,
        link=stopped[0].get_absolute_url(),
        key=f"stopped:{timezone.now():%Y-%m-%d}:{digest}",
    )


def tell_of_new_version(*, version: BotVersion) -> None:
    """Tell those who have an older version of its bot, once, that this one is offered."""
    having = version.bot.subscriptions.exclude(state=Subscription.State.STOPPED).select_related("version")
    notify(
        people={each.trader_id for each in having if each.version.precedence < version.precedence},
        event=Event.VERSION,
        subject=f"{version.bot.name} {version.number} is offered",
        text=f"You have an older version, which goes on as it is. {version.release_notes}",
        link=version.bot.get_absolute_url(),
        key=f"version:{version.pk}",
    )


def pause_where_unlisted(*, exchange: str) -> list[Market]:
    """Pause what trades on markets that the exchange no longer lists; return those markets."""
    gone = Market.objects.filter(exchange=exchange, is_active=False)
    markets = list(gone.filter(subscriptions__in=Subscription.objects.active()).distinct())
    for market in markets:
        running = Subscription.objects.active().filter(market=market)
        pause_and_tell(subscriptions=running, reason=not_listed(market))
    return markets


def not_listed(market: Market) -> str:
    """Return the reason with which `pause_where_unlisted` pauses."""
    return f"{market} is not listed any more. The exchange says what becomes of what is held there."


def pause_on(*, account: ExchangeAccount) -> list[Subscription]:
    """Pause all that trades on the account, and tell its owner in one message; return what was paused."""
    active = account.subscriptions.filter(state__in=Subscription.SENDING)
    reason = f"{account.label} is not usable: {account.state_reason}"[:200]
    reasons = dict.fromkeys(active.values_list("pk", flat=True), reason)
    return _pause_and_tell(account, reasons, "subscriptions/paused_for_account.txt")


def pause_for_mismatch(*, account: ExchangeAccount, reasons: Mapping[int, str]) -> list[Subscription]:
    """Pause those active subscriptions of the account, and tell its owner in one message.

    `reasons` has by subscription what was expected, what is there and what to do. Returns what was paused.
    """
    return _pause_and_tell(account, reasons, "subscriptions/paused_for_mismatch.txt")


def _pause_and_tell(account: ExchangeAccount, reasons: Mapping[int, str], letter: str) -> list[Subscription]:
    active = account.subscriptions.filter(state__in=Subscription.SENDING, pk__in=reasons).with_names()
    paused = []
    for subscription in active:
        with suppress(SubscriptionError):  # its trader has just stopped it
            paused.append(pause(subscription=subscription, reason=reasons[subscription.pk][:200]))
    if paused:
        _tell_of_pause(paused, letter, account)
    return paused


def _tell_of_pause(
    paused: Sequence[Subscription], letter: str, account: ExchangeAccount | None = None
) -> None:
    """Tell the trader of what has just been paused; all of it is one person's."""
    context = {"account": account, "subscriptions": paused, "site": settings.PUBLIC_URL}
    count, first = len(paused), paused[0]
    which = "Your subscription" if count == 1 else f"{count} subscriptions"
    where = f" on {account.label}" if account else ""
    notify(
        people=[first.trader_id],
        event=Event.HALTED,
        subject=f"{which}{where} {'is' if count == 1 else 'are'} paused",
        text=render_to_string(letter, context),
        link=account.get_absolute_url() if account else first.get_absolute_url(),
        key=f"paused:{first.pk}:{timezone.now().isoformat()}",
    )


def resume(*, subscription: Subscription) -> Subscription:
    """Decide again from the next candle on. Resuming an active subscription changes nothing.

    Raises SubscriptionError while its exchange account is not usable.
    """
    _refuse_unusable(subscription.account)
    return _move(subscription, to=Subscription.State.ACTIVE, allowed=[Subscription.State.PAUSED], reason="")


def close(*, subscription: Subscription) -> Subscription:
    """End the bot's deciding for good, so that what is held can be sold; twice changes nothing.

    When it returns nothing is sent any more but the sale, which `stop` ends, too. Raises SubscriptionError
    while its exchange account is not usable.
    """
    _refuse_unusable(subscription.account)
    allowed = [Subscription.State.ACTIVE, Subscription.State.PAUSED]
    closing = _move(subscription, to=Subscription.State.CLOSING, allowed=allowed, reason="")
    wait_until_quiet(Subscription.objects.filter(pk=closing.pk))
    return closing


def stop(*, subscription: Subscription) -> Subscription:
    """End the subscription for good; its record stays. Stopping twice changes nothing.

    When it returns no further order is sent.
    """
    allowed = [*Subscription.SENDING, Subscription.State.PAUSED]
    stopped = _move(subscription, to=Subscription.State.STOPPED, allowed=allowed, reason="")
    wait_until_quiet(Subscription.objects.filter(pk=stopped.pk))
    return stopped


def wait_until_quiet(subscriptions: SubscriptionQuerySet) -> None:
    """Wait until no order of theirs can be leaving any more; for who has just forbidden it.

    In a transaction the wait comes at its end: before, nobody else sees what was forbidden, and who has sent
    an order could not say so, for the row is locked.
    """
    transaction.on_commit(lambda: _wait_until_quiet(subscriptions))


def _wait_until_quiet(subscriptions: SubscriptionQuerySet) -> None:
    """Return when it is quiet.

    Whoever sends holds the subscription's lock while asking whether it may, and then says on the row until
    when it may be leaving: at most some seconds. So those that are asking are waited for first.
    """
    with transaction.atomic():
        list(subscriptions.order_by("pk").select_for_update(of=["self"]).only("pk"))
    while subscriptions.filter(sending_until__gt=timezone.now()).exists():
        time.sleep(QUIET_PAUSE_SECONDS)


def _refuse_unusable(account: ExchangeAccount | None) -> None:
    usable = ExchangeAccount.objects.usable()
    if account is not None and account.needs_keys and not usable.filter(pk=account.pk).exists():
        raise SubscriptionError(f"{account.label} is not usable now. Put its keys right first.")


def _move(
    subscription: Subscription, *, to: Subscription.State, allowed: Sequence[Subscription.State], reason: str
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
            row.changed_at = timezone.now()
            if to == Subscription.State.STOPPED:
                row.stopped_at = row.changed_at
            row.save(update_fields=["state", "state_reason", "changed_at", "stopped_at"])
    return row


def smallest_capital(market: Market) -> Decimal:
    """Return the least that may be allocated on the market, in quote; it is above zero on any."""
    return max(market.minimum_cost * MINIMUM_CAPITAL_IN_ORDERS, FEE_STEP)


def problem_of_capital(market: Market | None, capital: Decimal) -> str:
    """Return what is wrong with an amount to allocate, wherever it comes from, or ""."""
    if not capital.is_finite() or not 0 < capital <= LARGEST_CAPITAL:
        return f"Expected an amount above zero and up to {LARGEST_CAPITAL:,}, got {capital}."
    if market and capital < smallest_capital(market):
        return f"{market} needs at least {smallest_capital(market).normalize():f} {market.quote}."
    return ""


def account_problems(
    trader: User,
    account: ExchangeAccount,
    exchange: str,
    market: Market | None,
    capital: Decimal,
    *,
    already: Decimal = Decimal(0),
) -> dict[str, str]:
    """Return why the account cannot give this capital to a subscription, by field; nothing when it can.

    `already` is what that has of it. The account stays locked until the transaction ends.
    """
    # locked, so that two subscriptions at once cannot both take what is free
    own = ExchangeAccount.objects.of(trader).select_for_update(no_key=True).filter(pk=account.pk).first()
    if own is None:
        return {"account": "Choose one of your accounts."}
    account = own
    if account.exchange != exchange:
        return {"account": f"{account} cannot trade on {exchange}. Choose an account of that exchange."}
    if not account.needs_keys or market is None:
        return {}
    if not ExchangeAccount.objects.usable().filter(pk=account.pk).exists():
        return {"account": f"{account.label} is not usable now; its page says why."}
    if account.balances_at is None:
        return {"account": f"What {account.label} holds is still being read. Try again in a minute."}
    free = free_capital(account, market.quote)
    if capital - already > free:
        said = f"{account.label} has {free.normalize():f} {market.quote} that no other subscription may use"
        most = f"{(already + free).normalize():f} {market.quote}" if already else "that"
        return {"allocated_capital": f"{said}. Enter at most {most}."}
    return {}


def free_capital(account: ExchangeAccount, quote: str) -> Decimal:
    """Return what the account's free balance of `quote` leaves beside the budgets of its subscriptions.

    What they bought since the balance was read is no longer there, nor in a budget.
    """
    held = account.held.get(quote)
    if held is None or account.balances_at is None:
        return Decimal(0)
    on_quote = account.subscriptions.filter(market__quote=quote)
    budget = Greatest(Coalesce("position__quote_balance", "allocated_capital"), Decimal(0))
    using = on_quote.exclude(state=Subscription.State.STOPPED)
    reserved = using.aggregate(total=Sum(budget))["total"] or Decimal(0)
    bought = on_quote.filter(
        orders__side="BUY", orders__fills__filled_at__gt=account.balances_at - CLOCKS_APART
    ).aggregate(
        cost=Sum("orders__fills__cost"),
        fees=Sum("orders__fills__fee", filter=Q(orders__fills__fee_currency=quote)),
    )
    spent = (bought["cost"] or Decimal(0)) + (bought["fees"] or Decimal(0))
    return max(held.free - reserved - spent, Decimal(0))


def refuse_staff(trader: User) -> None:
    """Raise StaffDoNotTrade for whoever judges or runs this marketplace."""
    if trader.is_staff or trader.is_superuser:
        raise StaffDoNotTrade("Staff do not trade here. Use an account of your own that has no role.")


def parse_settings(
    problems: dict[str, str],
    declared: Sequence[Parameter],
    strategy_config: Mapping[str, Any],
    execution_config: Mapping[str, Any],
    risk_config: Mapping[str, Any],
) -> tuple[dict[str, Any], ExecutionConfig, RiskConfig]:
    """Return the three documents checked; each is None where its problems are added to the others."""
    return (
        collect(problems, validate, declared, strategy_config, prefix=STRATEGY_PREFIX),
        collect(problems, ExecutionConfig.parse, execution_config),
        collect(problems, RiskConfig.parse, risk_config),
    )


def find_market(exchange: str, trading_pair: str, problems: dict[str, str]) -> Market | None:
    """Return the market that may be chosen; or None, with what is wrong added to the problems."""
    if exchange not in settings.SUPPORTED_EXCHANGES:
        expected = ", ".join(settings.SUPPORTED_EXCHANGES)
        problems["exchange_type"] = f"Expected one of {expected}, got {exchange!r}."
        return None
    market = Market.objects.tradable().filter(exchange=exchange, trading_pair=trading_pair).first()
    if market is None:
        name = Exchange(exchange).label
        problems["trading_pair"] = f"{name} has no pair {trading_pair!r} here. Choose one from the list."
    return market


def collect(problems: dict[str, str], parse: Callable[..., Any], *given: Any, prefix: str = "") -> Any:
    """Return what `parse` makes of its arguments; or None, with its problems added to the others."""
    try:
        return parse(*given)
    except ConfigError as error:
        problems.update({prefix + name: message for name, message in error.problems.items()})
        return None
