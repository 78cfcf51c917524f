"""What the outside market offers: markets with their rules, and their closed candles."""

from datetime import datetime

from django.conf import settings
from django.db import models

from bot_sdk.market_rules import MarketRules
from bot_sdk.timeframes import TIMEFRAMES
from exchanges.fields import AmountField


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
        missing = MISSING_TIMEFRAMES.get(Exchange(self.exchange), set())
        return [timeframe for timeframe in Timeframe.values if timeframe not in missing]

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
