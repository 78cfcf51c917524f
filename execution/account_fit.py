"""How a bot's newest signals would have fared with somebody's account, before they subscribe.

What an account holds is what its exchange told last: no web process asks an exchange. Where that is a while
ago, a worker is told to ask again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db.models import QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from bot_sdk.action import BUY, SELL
from bot_sdk.configs import ALL, ExecutionConfig
from bot_sdk.parameters import ConfigError
from bot_sdk.past_signals import Outcome, PastSignal, needed_capital, outcome_of
from bots.models import BotVersion
from exchanges.models import ExchangeAccount, Market
from execution.models import BotRecord, Cycle, Fill
from execution.words import SOURCES
from subscriptions.lifecycle import LARGEST_CAPITAL, collect, free_capital
from subscriptions.models import Subscription

READ_BALANCES_TASK = "exchanges.tasks.read_balances"
MOST_SIGNALS = 100
FRESH = timedelta(minutes=5)  # so old may a balance be before its exchange is asked again
ASKED_EACH_SECONDS = 60  # of one account, at most


@dataclass(frozen=True, slots=True)
class NewestSignals:
    """A version's newest signals, oldest first, and the market on which it gave them."""

    market: Market
    timeframe: str
    signals: Sequence[PastSignal]

    @property
    def last_at(self) -> datetime:
        return self.signals[-1].at


@dataclass(frozen=True, slots=True)
class Funds:
    """The market and the money that an account has for it; None of an account is paper.

    `free` is quote that no subscription uses, None for paper; `told_at` is when the exchange told it last,
    and `is_asked` whether it is being asked again.
    """

    account: ExchangeAccount | None
    market: Market
    free: Decimal | None = None
    told_at: datetime | None = None
    is_asked: bool = False

    @property
    def fee_percent(self) -> Decimal:
        return self.market.taker_fee_fraction * 100

    @property
    def is_fresh(self) -> bool:
        return self.told_at is None or self.told_at > timezone.now() - FRESH


@dataclass(frozen=True, slots=True)
class Fit:
    """What would have become of the signals; `needed` is quote, None when no capital suffices."""

    signals: int
    capital: Decimal
    outcome: Outcome
    needed: Decimal | None

    @property
    def skips(self) -> list[tuple[str, int]]:
        """Why signals would not have become orders, and how many, the most frequent first."""
        return sorted(self.outcome.skips.items(), key=lambda skip: (-skip[1], skip[0]))

    @property
    def is_enough(self) -> bool:
        return self.needed is not None and self.capital >= self.needed

    @property
    def fees_percent(self) -> Decimal:
        return self.outcome.fees * 100 / self.capital


def newest_signals(version: BotVersion) -> NewestSignals | None:
    """Return the signals that the marketplace has seen the version give last; None when it saw none yet.

    Those of its backtest come first, and then those of its own run on paper where that is on the same market.
    """
    run = version.subscriptions.forward_runs().select_related("market").first()
    records = version.records.filter(kind=BotRecord.Kind.BACKTEST, measured_at__isnull=False)
    tested = records.values_list(
        "backtest__market", "backtest__timeframe", "backtest__report__newest_signals"
    ).first()
    signals = _in_backtest(tested[2] or []) if tested else []
    if run is not None:
        if tested and tested[:2] != (run.market_id, run.timeframe):
            signals = []
        signals = [*signals, *_on_paper(run)][-MOST_SIGNALS:]
    if not signals:
        return None
    if run is not None:
        return NewestSignals(run.market, run.timeframe, signals)
    assert tested is not None
    return NewestSignals(Market.objects.get(pk=tested[0]), tested[1], signals)


def funds_of(account: ExchangeAccount | None, newest: NewestSignals) -> Funds:
    """Return where and with what the account would trade the signals' pair.

    Raises ConfigError for `account` when its exchange lacks the pair, or what it holds is not known.
    """
    if account is None or account.exchange == newest.market.exchange:
        market: Market | None = newest.market
    else:
        pair = newest.market.trading_pair
        market = Market.objects.tradable().filter(exchange=account.exchange, trading_pair=pair).first()
    if market is None:
        assert account is not None
        where = f"{account.get_exchange_display()} has no {newest.market.trading_pair} here"
        raise ConfigError({"account": f"{where}, on which this bot's signals were given. Choose another."})
    if account is None or not account.needs_keys:
        return Funds(account, market)
    if not ExchangeAccount.objects.usable().filter(pk=account.pk).exists():
        raise ConfigError({"account": f"{account.label} is not usable now; its page says why."})
    told_at = account.balances_at
    is_old = told_at is None or told_at <= timezone.now() - FRESH
    is_asked = is_old and _ask_for_balances(account)
    if told_at is None:
        doing = "is being read" if is_asked else "cannot be read just now"
        raise ConfigError({"account": f"What {account.label} holds {doing}. Try again in a minute."})
    return Funds(account, market, free_capital(account, market.quote), told_at, is_asked)


def fit(newest: NewestSignals, *, funds: Funds, capital: Decimal | None, buying: Mapping[str, Any]) -> Fit:
    """Return how the signals would have fared with `capital` in quote; None is all that is free.

    `buying` has `buy_order_type` and `buy_order_value` of ExecutionConfig. Raises ConfigError by field.
    """
    problems: dict[str, str] = {}
    quote = funds.market.quote
    if capital is None and funds.free is None:
        problems["capital"] = "Enter an amount: a paper account has as much as you like."
    wanted = funds.free or Decimal(0) if capital is None else capital
    if funds.free is not None and wanted > funds.free or funds.free == 0:
        said = f"{funds.account} has {funds.free.normalize():f} {quote} that no subscription uses"
        problems["capital"] = f"{said}. Enter at most that, or try a paper account."
    elif "capital" not in problems and not 0 < wanted <= LARGEST_CAPITAL:
        problems["capital"] = f"Expected an amount above zero and up to {LARGEST_CAPITAL:,}."
    execution = collect(problems, ExecutionConfig.parse, {**buying, "sell_order_type": ALL})
    if problems:
        raise ConfigError(problems)
    rules = funds.market.rules
    return Fit(
        signals=len(newest.signals),
        capital=wanted,
        outcome=outcome_of(newest.signals, capital=wanted, rules=rules, execution=execution),
        needed=needed_capital(
            newest.signals, rules=rules, execution=execution, most=Decimal(LARGEST_CAPITAL)
        ),
    )


def newest_wishes(run: Subscription) -> QuerySet[Cycle]:
    """The newest cycles in which the run's bot itself wanted to trade, as many as are tried here."""
    wanted = run.cycles.filter(action__in=[BUY, SELL]).exclude(signal_source__in=SOURCES)
    return wanted.order_by("-candle_opened_at")[:MOST_SIGNALS]


def _in_backtest(told: Sequence[Mapping[str, Any]]) -> list[PastSignal]:
    return [
        PastSignal(datetime.fromisoformat(each["at"]), each["action"], Decimal(str(each["price"])))
        for each in told
    ]


def _on_paper(run: Subscription) -> list[PastSignal]:
    """Return the newest signals of our own run: what the bot wanted, and what limits sold meanwhile."""
    exits = Fill.objects.filter(order__subscription=run, order__source__in=SOURCES)
    found = [
        *exits.order_by("-order__moment_at").values_list("order__moment_at", "order__side", "price")[
            :MOST_SIGNALS
        ],
        *newest_wishes(run).values_list("candle_closed_at", "action", "price"),
    ]
    # of one moment, what a limit sold comes before the bot's
    in_time = sorted(found, key=lambda row: row[0])
    return [PastSignal(at, action, price) for at, action, price in in_time if price is not None]


def _ask_for_balances(account: ExchangeAccount) -> bool:
    """Have a worker ask what the account holds, unless one was told to just now; whether one is at it."""
    try:
        if cache.add(f"balances-asked:{account.pk}", 1, ASKED_EACH_SECONDS):
            current_app.send_task(READ_BALANCES_TASK, [account.pk], retry=False)
    except (RedisError, OperationalError):
        return False
    return True
