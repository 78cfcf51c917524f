"""What the API says about bots at work. Money is text in the market's quote currency, with every digit."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import StrictSerializer
from bot_sdk.metric_table import CONVENTION, Unit
from exchanges.serializers import AmountField, exact_text
from execution.metric_rows import Shown, shown
from execution.models import Fill, SubscriptionPerformance
from subscriptions.models import CapitalChange
from subscriptions.serializers import REVISION_HELP

UNITS = "percent: 5 is 5 %; money: in quote currency; count and ratio: plain numbers; days: may be fractions"


class MetricSerializer(serializers.Serializer):
    key = serializers.CharField(source="metric.key")
    label = serializers.CharField(source="metric.label")
    definition = serializers.CharField(source="metric.definition")
    unit = serializers.ChoiceField([unit.value for unit in Unit], source="metric.unit", help_text=UNITS)
    value = serializers.SerializerMethodField(help_text="a number as text; null: it says nothing yet")
    missing = serializers.CharField(help_text="why there is no value; empty when there is one")

    def get_value(self, metric: Shown) -> str | None:
        return None if metric.value is None else exact_text(metric.value)


class MeasuredSerializer(serializers.ModelSerializer):
    days = serializers.IntegerField(help_text="UTC days that are in it")
    convention = serializers.SerializerMethodField(help_text="how every metric is computed")
    metrics = serializers.SerializerMethodField()

    class Meta:
        model = SubscriptionPerformance
        fields = ["measured_at", "measured_until", "days", "trades", "convention", "metrics"]

    def get_convention(self, measured: SubscriptionPerformance) -> str:  # noqa: ARG002
        return CONVENTION

    def get_metrics(self, measured: SubscriptionPerformance) -> list[dict[str, Any]]:
        rows = shown(measured.metrics, quote="", days=measured.days, trades=measured.trades)
        return [MetricSerializer(row).data for row in rows.values()]


class PerformanceSerializer(serializers.Serializer):
    """What a subscription is worth at the newest candle's close, and its metrics as measured last."""

    quote = serializers.CharField(help_text="the currency of all money here")
    capital = AmountField(source="valuation.capital", help_text="what is allocated")
    equity = AmountField(
        source="valuation.equity", allow_null=True, help_text="null: something is held, and no price is known"
    )
    result = AmountField(
        source="valuation.result", allow_null=True, help_text="equity above the capital, fees included"
    )
    result_percent = AmountField(
        source="valuation.result_percent",
        allow_null=True,
        help_text="the return: of capital, and time-weighted where that was changed",
    )
    quote_balance = AmountField(source="valuation.holding.quote_balance", help_text="not invested")
    base_amount = AmountField(source="valuation.holding.base_amount", help_text="held, in base currency")
    average_entry_price = AmountField(
        source="valuation.holding.average_entry_price",
        allow_null=True,
        help_text="quote per base, buying fees included; null: nothing is held",
    )
    realized_pnl = AmountField(source="valuation.holding.realized_pnl", help_text="fees included")
    unrealized_pnl = AmountField(source="valuation.unrealized_pnl", allow_null=True)
    fees_paid = AmountField(source="valuation.holding.fees_paid")
    price = AmountField(source="valuation.price.value", allow_null=True, help_text="quote per base")
    price_at = serializers.DateTimeField(source="valuation.price.at", allow_null=True)
    measured = MeasuredSerializer(allow_null=True, help_text="null until a worker has measured it")


class NewCapitalSerializer(StrictSerializer):
    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1, help_text=REVISION_HELP)
    allocated_capital = AmountField(help_text="all that it may use from then on, in quote currency")


class CapitalChangeSerializer(serializers.ModelSerializer):
    """Capital that was put into a subscription or taken out of it."""

    amount = AmountField(help_text="quote; above zero was put in, below zero taken out")
    capital = AmountField(help_text="quote; allocated from then on")

    class Meta:
        model = CapitalChange
        fields = ["revision", "amount", "capital", "changed_at"]


class TradeSerializer(serializers.ModelSerializer):
    """One execution of an order, which exchanges call a trade."""

    order_id = serializers.IntegerField()
    cycle_id = serializers.IntegerField(
        source="order.cycle_id", allow_null=True, help_text="the decision behind it; null: a stop's order"
    )
    side = serializers.CharField(source="order.side", help_text="BUY or SELL")
    source = serializers.CharField(source="order.source", help_text="bot, trader or rule that wanted it")
    reason = serializers.CharField(source="order.reason")
    price = AmountField(help_text="quote per base")
    amount = AmountField(help_text="base")
    cost = AmountField(help_text="quote, without fee")
    fee = AmountField(help_text="in fee_currency")

    class Meta:
        model = Fill
        fields = [
            "id",
            "order_id",
            "cycle_id",
            "side",
            "source",
            "reason",
            "price",
            "amount",
            "cost",
            "fee",
            "fee_currency",
            "filled_at",
        ]


class QueuedSerializer(serializers.Serializer):
    candle_closed_at = serializers.DateTimeField(help_text="close of the candle that a worker decides now")
