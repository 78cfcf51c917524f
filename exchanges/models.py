"""What the outside market offers: markets with their rules, and their closed candles."""

from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse

from accounts.models import User
from bot_sdk.market_rules import MarketRules
from bot_sdk.timeframes import TIMEFRAMES
from exchanges.fields import AmountField
from exchanges.gateway import Balance


class Exchange(models.TextChoices):
    BINANCE = "BINANCE", "Binance"
    COINBASE = "COINBASE", "Coinbase"
    KRAKEN = "KRAKEN", "Kraken"


class Timeframe(models.TextChoices):
    """The SDK's timeframes as choices, in its order."""

    M1 = "1m", "1 minute"
    M5 = "5m", "5 minutes"
    M15 = "15m", "15 minutes"
    M30 = "30m", "30 minutes"
    H1 = "1h", "1 hour"
    H4 = "4h", "4 hours"
    D1 = "1d", "1 day"


assert tuple(Timeframe.values) == TIMEFRAMES

# what an exchange's own candles lack of our timeframes; a test compares it with ccxt
MISSING_TIMEFRAMES = {Exchange.COINBASE: {Timeframe.H4}}


def timeframes_of(exchange: Exchange) -> list[str]:
    """Return the timeframes that the exchange has candles of."""
    missing = MISSING_TIMEFRAMES.get(exchange, set())
    return [timeframe for timeframe in Timeframe.values if timeframe not in missing]


class MarketQuerySet(models.QuerySet["Market"]):
    def tradable(self) -> "MarketQuerySet":
        """Markets that a new subscription may choose."""
        return self.filter(is_active=True, exchange__in=settings.SUPPORTED_EXCHANGES)


class Market(models.Model):
    exchange = models.CharField(max_length=16, choices=Exchange)
    trading_pair = models.CharField(max_length=32, help_text="base/quote, such as BTC/USDT")
    base = models.CharField(max_length=16)
    quote = models.CharField(max_length=16)
    price_tick = AmountField(help_text="smallest step of a price, in quote")
    amount_step = AmountField(help_text="smallest step of an amount, in base")
    minimum_amount = AmountField(help_text="smallest order, in base")
    minimum_cost = AmountField(help_text="smallest order, in quote")
    taker_fee_fraction = models.DecimalField(max_digits=8, decimal_places=6, help_text="0.001 is 0.1 %")
    is_active = models.BooleanField(default=True)
    refreshed_at = models.DateTimeField()

    objects = MarketQuerySet.as_manager()

    class Meta:
        ordering = ["exchange", "trading_pair"]
        constraints = [
            models.UniqueConstraint(
                fields=["exchange", "trading_pair"], name="one_market_per_exchange_and_pair"
            ),
            models.CheckConstraint(
                condition=models.Q(price_tick__gt=0, amount_step__gt=0), name="market_steps_are_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trading_pair} on {self.get_exchange_display()}"

    @property
    def timeframes(self) -> list[str]:
        """The timeframes that its exchange has candles of."""
        return timeframes_of(Exchange(self.exchange))

    @property
    def rules(self) -> MarketRules:
        return MarketRules(
            price_tick=self.price_tick,
            amount_step=self.amount_step,
            minimum_amount=self.minimum_amount,
            minimum_cost=self.minimum_cost,
            taker_fee_fraction=self.taker_fee_fraction,
        )


class CandleQuerySet(models.QuerySet["Candle"]):
    def of(self, market: Market, timeframe: str) -> "CandleQuerySet":
        return self.filter(market=market, timeframe=timeframe)

    def until(self, opened_at: datetime) -> "CandleQuerySet":
        return self.filter(opened_at__lte=opened_at)


class Candle(models.Model):
    """One closed OHLCV row."""

    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="candles")
    timeframe = models.CharField(max_length=4, choices=Timeframe)
    opened_at = models.DateTimeField()
    open = AmountField(help_text="quote per base")
    high = AmountField(help_text="quote per base")
    low = AmountField(help_text="quote per base")
    close = AmountField(help_text="quote per base")
    volume = AmountField(help_text="base")

    objects = CandleQuerySet.as_manager()

    class Meta:
        ordering = ["market", "timeframe", "-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["market", "timeframe", "opened_at"], name="one_candle_per_opening"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.market.trading_pair} {self.timeframe} {self.opened_at:%Y-%m-%d %H:%M}"


class ExchangeAccountQuerySet(models.QuerySet["ExchangeAccount"]):
    def of(self, user: User | AnonymousUser) -> "ExchangeAccountQuerySet":
        """What this person may see: their own."""
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def with_keys(self) -> "ExchangeAccountQuerySet":
        return self.exclude(key_id="")

    def with_access(self) -> "ExchangeAccountQuerySet":
        """All but those whose keys were removed, which stay for their record alone."""
        return self.exclude(state=ExchangeAccount.State.KEYS_REMOVED)

    def usable(self) -> "ExchangeAccountQuerySet":
        """Accounts at an exchange that may be asked and traded on now."""
        checked = self.with_keys().filter(state=ExchangeAccount.State.ACTIVE)
        if settings.EXCHANGE_TESTNET_MODE:
            checked = checked.exclude(environment=ExchangeAccount.Environment.LIVE)
        return checked


class ExchangeAccount(models.Model):
    """A person's access to an exchange. Its keys are sealed; only `exchanges.vault` opens them."""

    class Environment(models.TextChoices):
        LIVE = "LIVE", "Live, real money"
        TESTNET = "TESTNET", "Testnet, play money"
        PAPER = "PAPER", "Paper, our ledger"

    class State(models.TextChoices):
        UNCHECKED = "UNCHECKED", "Being checked"
        ACTIVE = "ACTIVE", "Ready"
        REFUSED = "REFUSED", "Refused"
        LOST_RIGHTS = "LOST_RIGHTS", "Lost its rights"
        KEYS_REMOVED = "KEYS_REMOVED", "Keys removed"

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="exchange_accounts"
    )
    exchange = models.CharField(max_length=16, choices=Exchange)
    label = models.CharField(max_length=60)
    environment = models.CharField(max_length=16, choices=Environment)
    state = models.CharField(max_length=16, choices=State, default=State.UNCHECKED)
    state_reason = models.TextField(blank=True)
    api_key_hint = models.CharField(max_length=4, blank=True, help_text="the key's last four characters")
    sealed = models.BinaryField(default=bytes, blank=True)
    key_id = models.CharField(max_length=16, blank=True, help_text="the vault's key that it is sealed under")
    key_fingerprint = models.CharField(
        max_length=64, blank=True, help_text="by what the vault knows the same key again"
    )
    checked_at = models.DateTimeField(null=True, blank=True)
    permissions = models.JSONField(default=dict, blank=True)
    has_address_restriction = models.BooleanField(null=True, blank=True, help_text="empty: not known")
    balances = models.JSONField(
        default=dict, blank=True, help_text="free and locked amount of each asset, as the exchange told last"
    )
    balances_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ExchangeAccountQuerySet.as_manager()

    class Meta:
        ordering = ["label", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "label"],
                name="one_exchange_account_per_label",
                violation_error_message="You have an account of this name already.",
            ),
            models.UniqueConstraint(
                fields=["key_fingerprint"],
                condition=~models.Q(key_fingerprint=""),
                name="one_exchange_account_per_key",
            ),
            models.CheckConstraint(
                condition=~models.Q(environment="TESTNET") | models.Q(exchange="BINANCE"),
                name="testnet_is_of_binance",
                violation_error_message="Only Binance has a testnet here.",
            ),
            models.CheckConstraint(
                condition=~models.Q(environment="PAPER") | models.Q(key_id=""),
                name="paper_account_has_no_keys",
            ),
            models.CheckConstraint(
                condition=models.Q(environment="PAPER")
                | models.Q(state__in=["UNCHECKED", "KEYS_REMOVED"])
                | (~models.Q(key_id="") & ~models.Q(sealed=b"")),
                name="checked_account_has_keys",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="KEYS_REMOVED")
                | models.Q(key_id="", sealed=b"", key_fingerprint=""),
                name="removed_keys_are_gone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.get_exchange_display()}, {self.environment.lower()})"

    def get_absolute_url(self) -> str:
        return reverse("exchanges:account", args=[self.pk])

    def clean(self) -> None:
        if self.environment == self.Environment.LIVE and settings.EXCHANGE_TESTNET_MODE:
            raise ValidationError(
                {
                    "environment": "Live accounts are switched off here (EXCHANGE_TESTNET_MODE). "
                    "Choose another kind."
                }
            )

    @property
    def held(self) -> dict[str, Balance]:
        """What the exchange told last, by asset."""
        return {
            asset: Balance(Decimal(told["free"]), Decimal(told["locked"]))
            for asset, told in self.balances.items()
        }

    @property
    def seal(self) -> str:
        """By what these keys are known from those before and after them, in hexadecimal; no secret."""
        return sha256(self.sealed).hexdigest()

    @property
    def needs_keys(self) -> bool:
        return self.environment != self.Environment.PAPER

    @property
    def is_live(self) -> bool:
        """Whether what is on it is real money."""
        return self.environment == self.Environment.LIVE

    @property
    def is_being_checked(self) -> bool:
        return self.state == self.State.UNCHECKED
