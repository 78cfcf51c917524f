"""A full marketplace for measuring: as many bots and subscriptions as are wanted, in bulk.

The bots have no code, so whatever runs them fails: this is for pages and queries, in a database of its own.
Everything is the same at every call, save times, so that two measurements are of the same rows.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched
from math import sin
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from accounts.models import User
from bot_sdk.risk_state import RiskState
from bot_sdk.timeframes import duration, last_closed
from bots.models import Bot, BotVersion, Category
from exchanges.models import Candle, Exchange, Market, Timeframe
from execution.models import BotRecord, Cycle, Position
from execution.ranking import SCORE
from execution.record_lines import FIGURES
from subscriptions.models import Subscription

PREFIX = "load-"  # of every name, so that these rows are known from real ones
BUSY_TRADER = f"{PREFIX}trader-0"
BUSY_TRADERS_SUBSCRIPTIONS = 200
BOTS_PER_DEVELOPER = 10
SUBSCRIPTIONS_PER_TRADER = 10
CANDLES_PER_MARKET = 60
CYCLES_PER_SUBSCRIPTION = 3  # of every fourth subscription
CAPITAL = Decimal(1000)
BATCH = 5000
COINS = ("BTC", "ETH", "SOL", "ADA", "XRP", "DOT", "LTC", "AVAX", "LINK", "UNI")
QUOTES = ("USDT", "EUR")
TIMEFRAMES = (Timeframe.M5, Timeframe.H1, Timeframe.D1)
CATEGORIES = ("Momentum", "Mean reversion", "Trend following", "Breakout", "Portfolio")


class AlreadyFilled(Exception):
    """The rows are there already; the message says what to do."""


def fill(*, bots: int, subscriptions: int) -> None:
    """Make developers with so many published bots, each with a record, and traders with subscriptions.

    `BUSY_TRADER` has 200 of them, or all if there are fewer. Nobody of these people can sign in by a
    password. Raises AlreadyFilled when it was done before.
    """
    if User.objects.filter(username=BUSY_TRADER).exists():
        raise AlreadyFilled(f"There is a {BUSY_TRADER} here already. Take a new database.")
    with transaction.atomic():
        traders = _people("trader", max(subscriptions // SUBSCRIPTIONS_PER_TRADER, 1))
        versions = _bots(_people("developer", max(bots // BOTS_PER_DEVELOPER, 1)), bots)
        _subscriptions(traders, versions, _markets(), subscriptions)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # the planner knows nothing of so many new rows otherwise


def _people(role: str, count: int) -> list[User]:
    names = (f"{PREFIX}{role}-{number}" for number in range(count))
    people = (User(username=name, email=f"{name}@example.com", password="!") for name in names)
    return _create(User, people)


def _bots(developers: list[User], count: int) -> list[BotVersion]:
    for name in CATEGORIES:
        Category.objects.get_or_create(name=name, defaults={"slug": name.lower().replace(" ", "-")})
    categories = list(Category.objects.filter(name__in=CATEGORIES).order_by("pk"))
    made = _create(Bot, (_bot(number, developers, categories) for number in range(count)))
    versions = _create(BotVersion, map(_version, made))
    _create(BotRecord, map(_record, versions))
    return versions


def _bot(number: int, developers: list[User], categories: list[Category]) -> Bot:
    line = [round(1000 + 3 * day * sin(number) + 40 * sin(day / 5 + number), 1) for day in range(60)]
    return Bot(
        developer=developers[number % len(developers)],
        name=f"{PREFIX}bot {number}",
        slug=f"{PREFIX}bot-{number}",
        tagline=f"Follows {COINS[number % len(COINS)]} by rule {number}, and says why.",
        description="It compares **two averages** of the close.\n\n" * 8,
        bot_type=Bot.Type.values[number % len(Bot.Type.values)],
        category=categories[number % len(categories)],
        price_per_month=Decimal(number % 5 * 5),
        trading_pairs=[f"{COINS[(number + each) % len(COINS)]}/USDT" for each in range(number % 4)],
        timeframes=list(TIMEFRAMES[: number % 3]),
        state=Bot.State.LISTED,
        record={
            "version": "v1.0.0",
            "as_of": timezone.now().isoformat(),
            "kind": BotRecord.Kind.BACKTEST,
            "days": 365,
            "return_percent": round(line[-1] / line[0] * 100 - 100, 2),
            "line": line,
            "beside": None,
        },
        record_score=number * 7919 % 1000 / 10 if number % 10 else None,
        worst_drawdown_percent=number % 50,
        exchanges=[Exchange.BINANCE],
    )


def _version(bot: Bot) -> BotVersion:
    now = timezone.now()
    return BotVersion(bot=bot, number="v1.0.0", state=BotVersion.State.PUBLISHED, published_at=now)


def _record(version: BotVersion) -> BotRecord:
    assert version.bot.record is not None
    shown = version.bot.record
    return BotRecord(
        version=version,
        kind=BotRecord.Kind.BACKTEST,
        measured_at=datetime.fromisoformat(shown["as_of"]),
        days=shown["days"],
        figures=dict.fromkeys(FIGURES)
        | {
            "total_return_percent": shown["return_percent"],
            "buy_and_hold_percent": 10.0,
            "max_drawdown_percent": version.bot.worst_drawdown_percent,
            "trades": 52,
            SCORE: version.bot.record_score,
        },
        line=shown["line"],
    )


def _markets() -> list[Market]:
    facts: dict[str, Any] = {
        "price_tick": Decimal("0.01"),
        "amount_step": Decimal("0.00001"),
        "minimum_amount": Decimal("0.00001"),
        "minimum_cost": Decimal(5),
        "taker_fee_fraction": Decimal("0.001"),
        "refreshed_at": timezone.now(),
    }
    pairs = [(coin, quote) for coin in COINS for quote in QUOTES]
    markets = [
        Market.objects.get_or_create(
            exchange=Exchange.BINANCE,
            trading_pair=f"{coin}/{quote}",
            defaults={"base": coin, "quote": quote} | facts,
        )[0]
        for coin, quote in pairs
    ]
    candles = (
        candle for market in markets for timeframe in TIMEFRAMES for candle in _candles(market, timeframe)
    )
    _create(Candle, candles, ignore_conflicts=True)
    return markets


def _candles(market: Market, timeframe: str) -> Iterator[Candle]:
    newest = last_closed(timeframe, timezone.now())
    for age in range(CANDLES_PER_MARKET):
        price = Decimal(100 + age % 7)
        prices = {"open": price, "high": price + 2, "low": price - 1, "close": price + 1}
        opened_at = newest - age * duration(timeframe)
        yield Candle(market=market, timeframe=timeframe, opened_at=opened_at, volume=Decimal(5), **prices)


def _subscriptions(
    traders: list[User], versions: list[BotVersion], markets: list[Market], count: int
) -> None:
    def subscription(number: int) -> Subscription:
        version = versions[number * 31 % len(versions)]
        is_busy = number < BUSY_TRADERS_SUBSCRIPTIONS
        return Subscription(
            trader=traders[0 if is_busy else number % len(traders)],
            bot=version.bot,
            version=version,
            market=markets[number % len(markets)],
            timeframe=TIMEFRAMES[number % len(TIMEFRAMES)],
            allocated_capital=CAPITAL,
            execution_config={"buy_order_type": "ALL", "sell_order_type": "ALL"},
            risk_config={"stop_loss_percent": 5.0},
            state=Subscription.State.STOPPED if number % 10 == 9 else Subscription.State.ACTIVE,
        )

    made = _create(Subscription, map(subscription, range(count)))
    _create(Position, (_position(each, number) for number, each in enumerate(made) if number % 2))
    _create(Cycle, (cycle for each in made[::4] for cycle in _cycles(each)))


def _position(subscription: Subscription, number: int) -> Position:
    held = Decimal(number % 3)
    today = timezone.now().date().isoformat()
    past = RiskState.start(CAPITAL).to_dict() | {"day": today, "day_start_equity": str(CAPITAL)}
    return Position(
        subscription=subscription,
        base_amount=held,
        cost_basis=held * 100,
        quote_balance=CAPITAL - held * 100,
        risk_state=past,
        watched_at=timezone.now(),
    )


def _cycles(subscription: Subscription) -> Iterator[Cycle]:
    step = duration(subscription.timeframe)
    newest = last_closed(subscription.timeframe, timezone.now())
    for age in range(CYCLES_PER_SUBSCRIPTION):
        opened_at = newest - age * step
        yield Cycle(
            subscription=subscription,
            candle_opened_at=opened_at,
            candle_closed_at=opened_at + step,
            state=Cycle.State.DONE,
            claim=uuid.UUID(int=subscription.pk),
            lease_until=opened_at + step + timedelta(minutes=5),
            finished_at=opened_at + step,
            verdict="OK",
            action="HOLD",
            signal_action="HOLD",
            reason="Between both averages",
            price=Decimal(101),
            equity=CAPITAL,
        )


def _create[Row: models.Model](
    model: type[Row], rows: Iterable[Row], *, ignore_conflicts: bool = False
) -> list[Row]:
    create: Callable[..., list[Row]] = model._default_manager.bulk_create
    return [
        made for batch in batched(rows, BATCH) for made in create(batch, ignore_conflicts=ignore_conflicts)
    ]
