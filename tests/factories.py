"""Rows for tests, each valid as it stands; keyword arguments override."""

import itertools
import time
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from accounts.people import create_person
from bot_sdk.timeframes import duration, last_closed
from bots.models import Bot, Category
from bots.publishing import publish_version
from exchanges import vault
from exchanges.credentials import Credentials
from exchanges.models import Candle, ExchangeAccount, Market
from execution.models import Backtest, Cycle, Fill, Order, Reconciliation
from execution.orders import client_order_id
from marketplace import roles
from subscriptions import reviewing
from subscriptions.models import SubscriberReview, Subscription

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)
first_look: list[datetime] = []  # when a test asked for the newest candle first

BUYING_BOT = """
from bot_sdk import Action, CustomBot


class BuyingBot(CustomBot):
    def execute_algorithm(self, data, timeframe, subscription_config=None):
        return Action("BUY", data["close"].iloc[-1], "always buys")
"""


def make_user(name: str = "bob", **overrides: Any) -> User:
    values = {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | overrides
    return create_person(**values)


def give_password(client: Client) -> None:
    """Have the person at this browser show once more who they are."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def code_of(secret: str, seconds: int = 8) -> str:
    """Return what an authenticator app shows, once that stays good for `seconds`."""
    left = TOTP_PERIOD - time.time() % TOTP_PERIOD
    if left < seconds:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // TOTP_PERIOD)))


def sign_in_staff(client: Client, person: User) -> None:
    """Sign in somebody who has just given password and second factor; who has none gets one."""
    kind = Authenticator.Type.TOTP
    if not (app := Authenticator.objects.filter(user=person, type=kind).first()):
        app = TOTP.activate(person, generate_totp_secret()).instance
    client.force_login(person)
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, person, "mfa", id=app.pk, type=kind)
    request.session.save()


def make_staff(name: str, role: str) -> User:
    """Staff in one of the roles."""
    roles.install()
    person = make_user(name, is_staff=True)
    person.groups.add(Group.objects.get(name=role))
    return person


class Program(Client):
    """A person's program at the API; it speaks JSON and has a token."""

    def __init__(self, person: User, *, is_read_only: bool = False) -> None:
        access = tokens.issue(user=person, is_read_only=is_read_only).access
        super().__init__(headers={"Authorization": f"Bearer {access}"})

    def send(self, address: str, body: Any = None, **headers: str) -> Any:
        """POST the body; None sends none. Headers are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.post(address, headers=named, content_type="application/json")
        return self.post(address, body, "application/json", headers=named)


def make_category(name: str = "Trend") -> Category:
    return Category.objects.get_or_create(name=name, defaults={"slug": name.lower().replace(" ", "-")})[0]


def make_bot(
    developer: User | None = None,
    *,
    code: str = BUYING_BOT,
    parameters: Any = (),
    risk_defaults: Any = None,
    **overrides: Any,
) -> Bot:
    number = next(_numbers)
    values = {
        "name": f"Bot {number}",
        "slug": f"bot-{number}",
        "tagline": "Buys and sells.",
        "description": "Buys low.\n\nSells high.",
        "category": overrides.pop("category", None) or make_category(),
        "developer": developer or make_user(f"developer-{number}"),
    }
    bot = Bot.objects.create(**values | overrides)
    publish_version(bot=bot, number="v1.0.0", code=code, parameters=parameters, risk_defaults=risk_defaults)
    return bot


def make_market(**overrides: Any) -> Market:
    values: dict[str, Any] = {
        "exchange": "BINANCE",
        "trading_pair": "BTC/USDT",
        "price_tick": Decimal("0.01"),
        "amount_step": Decimal("0.00001"),
        "minimum_amount": Decimal("0.00001"),
        "minimum_cost": Decimal(5),
        "taker_fee_fraction": Decimal("0.001"),
        "refreshed_at": timezone.now(),
    } | overrides
    base, quote = values["trading_pair"].split("/")
    keys = {"exchange": values.pop("exchange"), "trading_pair": values.pop("trading_pair")}
    return Market.objects.get_or_create(**keys, defaults={"base": base, "quote": quote} | values)[0]


def make_subscription(trader: User | None = None, **overrides: Any) -> Subscription:
    bot = overrides.pop("bot", None) or make_bot()
    values: dict[str, Any] = {
        "bot": bot,
        "version": bot.current_version,
        "trader": trader or make_user(f"trader-{next(_numbers)}"),
        "market": overrides.pop("market", None) or make_market(),
        "timeframe": "1m",
        "allocated_capital": Decimal(10_000),
        "execution_config": {
            "buy_order_type": "PERCENTAGE",
            "buy_order_value": 10.0,
            "sell_order_type": "ALL",
        },
        "risk_config": {"stop_loss_percent": 5.0, "take_profit_percent": 10.0, "max_position_size": 20.0},
    }
    return Subscription.objects.create(**values | overrides)


def make_review(bot: Bot, trader: User | None = None, **overrides: Any) -> SubscriberReview:
    """By somebody who has had the bot on paper for eight days."""
    subscription = make_subscription(trader, bot=bot)
    begun_at = timezone.now() - timedelta(days=8)
    Subscription.objects.filter(pk=subscription.pk).update(created_at=begun_at)
    values: dict[str, Any] = {"stars": 4, "text": "It does what it says."} | overrides
    return reviewing.write(trader=trader_of(subscription), bot=bot, **values)


def trader_of(subscription: Subscription) -> User:
    """Whoever subscribed; nobody did to the marketplace's own runs."""
    assert subscription.trader is not None
    return subscription.trader


def newest_closed(timeframe: str) -> datetime:
    """When the newest closed candle opened: for half a minute the same one, so that ages agree."""
    now = timezone.now()
    if not first_look or not timedelta() <= now - first_look[0] < timedelta(seconds=30):
        first_look[:] = [now]
    return last_closed(timeframe, first_look[0])


def make_cycle(subscription: Subscription, **overrides: Any) -> Cycle:
    """A finished cycle for the newest closed candle, or, with `age=n`, for the one n candles before it."""
    step = duration(subscription.timeframe)
    opened_at = newest_closed(subscription.timeframe) - overrides.pop("age", 0) * step
    values: dict[str, Any] = {
        "candle_opened_at": opened_at,
        "candle_closed_at": opened_at + step,
        "state": Cycle.State.DONE,
        "claim": uuid.uuid4(),
        "lease_until": timezone.now() + timedelta(minutes=5),
        "finished_at": timezone.now(),
        "verdict": "OK",
        "action": "HOLD",
        "value": 60_000.0,
        "reason": "RSI neutral: 50.00",
        "signal_action": "HOLD",
        "signal_source": "bot",
        "price": Decimal(60_000),
        "equity": Decimal(10_000),
    }
    return Cycle.objects.create(subscription=subscription, **values | overrides)


def make_order(cycle: Cycle, **overrides: Any) -> Order:
    values: dict[str, Any] = {
        "side": "BUY",
        "amount": Decimal("0.01"),
        "state": Order.State.FILLED,
        "client_order_id": client_order_id(cycle.subscription_id, cycle.candle_closed_at),
        "moment_at": cycle.candle_closed_at,
    }
    return Order.objects.create(subscription=cycle.subscription, cycle=cycle, **values | overrides)


def make_fill(order: Order, **overrides: Any) -> Fill:
    values: dict[str, Any] = {
        "trade_id": f"{order.client_order_id}-1",
        "price": Decimal(60_000),
        "amount": order.amount,
        "cost": 60_000 * order.amount,
        "fee": 60 * order.amount,
        "fee_currency": order.subscription.market.quote,
        "filled_at": timezone.now(),
    }
    return Fill.objects.create(order=order, **values | overrides)


def make_candles(market: Market, timeframe: str = "1m", count: int = 30, **overrides: Any) -> list[Candle]:
    """`count` closed candles up to now, rising by one quote unit each."""
    step = duration(timeframe)
    newest = newest_closed(timeframe)
    rows = []
    for index in range(count):
        price = Decimal(60_000 + index)
        values: dict[str, Any] = {
            "opened_at": newest - (count - 1 - index) * step,
            "open": price,
            "high": price + 2,
            "low": price - 1,
            "close": price + 1,
            "volume": Decimal("1.5"),
        }
        rows.append(Candle(market=market, timeframe=timeframe, **values | overrides))
    return Candle.objects.bulk_create(rows)


NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def make_exchange_account(owner: User | None = None, **overrides: Any) -> ExchangeAccount:
    """A checked account at Binance's testnet; `api_key` and `secret` are what is sealed in it."""
    number = next(_numbers)
    api_key, secret = overrides.pop("api_key", f"{number:k>64}"), overrides.pop("secret", "s" * 64)
    values: dict[str, Any] = {
        "owner": owner or make_user(f"trader-{number}"),
        "label": f"Account {number}",
        "exchange": "BINANCE",
        "environment": "TESTNET",
        "state": ExchangeAccount.State.ACTIVE,
    } | overrides
    state = values.pop("state")
    account = ExchangeAccount.objects.create(**values)
    if account.needs_keys:
        vault.seal(account, Credentials(api_key, secret))
        account.api_key_hint = api_key[-4:]
    account.state = state
    account.save()
    return account


def make_reconciliation(account: ExchangeAccount, **overrides: Any) -> Reconciliation:
    """One that found less BTC than there should be."""
    says = "The account holds 0.5 BTC; its bots count on 0.7 BTC."
    values: dict[str, Any] = {
        "at": timezone.now(),
        "is_judged": True,
        "is_clean": False,
        "findings": [{"kind": "short", "subject": "BTC", "says": says, "trades": []}],
    }
    return Reconciliation.objects.create(account=account, **values | overrides)


def make_backtest(person: User | None = None, **overrides: Any) -> Backtest:
    """One that waits for its worker: a hundred days of BTC/USDT up to March 2026, with 1,000 USDT."""
    bot = overrides.pop("bot", None) or make_bot()
    values: dict[str, Any] = {
        "version": bot.current_version,
        "requested_by": person or make_user(f"trader-{next(_numbers)}"),
        "market": overrides.pop("market", None) or make_market(),
        "timeframe": "1d",
        "begins_at": datetime(2025, 11, 21, tzinfo=UTC),
        "ends_at": datetime(2026, 3, 1, tzinfo=UTC),
        "capital": Decimal(1000),
        "execution_config": {"buy_order_type": "ALL", "sell_order_type": "ALL"},
    }
    return Backtest.objects.create(**values | overrides)
