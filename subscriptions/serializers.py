"""What the API says and takes about subscriptions. Texts and choices are those of the page's form."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import StrictSerializer
from exchanges.serializers import AmountField
from subscriptions import forms, going_live
from subscriptions.forms import ORDER_TYPE_FIELDS, RISK_FIELDS, SIZING_FIELDS, SubscribeForm
from subscriptions.models import Subscription

REQUIRED = ("buy_order_type", "sell_order_type")


def form_text(name: str) -> str:
    """Return what the form says of a field: its unit, and what a percentage is of."""
    return str(SubscribeForm.base_fields[name].help_text)


def api_field(name: str) -> serializers.Field:
    """Return the form's field for the API; what it takes is checked by `bot_sdk.configs`, as for the form."""
    asked = SubscribeForm.base_fields[name]
    shared: dict[str, Any] = {"label": str(asked.label), "help_text": form_text(name)}
    shared |= {"required": name in REQUIRED, "allow_null": name not in REQUIRED}
    if isinstance(asked, forms.AmountField):
        return AmountField(**shared)
    if isinstance(asked, forms.WholeNumberField):
        return serializers.IntegerField(**shared)
    return serializers.ChoiceField([choice for choice in asked.widget.choices if choice[0]], **shared)


class ExecutionConfigSerializer(StrictSerializer):
    """How much each order is for, and how it is sent."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: api_field(name) for name in (*SIZING_FIELDS, *ORDER_TYPE_FIELDS)}


class RiskConfigSerializer(StrictSerializer):
    """Limits that protect the trader; null or left out is off."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: api_field(name) for name in RISK_FIELDS}


class NewSubscriptionSerializer(StrictSerializer):
    bot_id = serializers.IntegerField(min_value=1)
    account_id = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="one of your accounts without real money; null is paper",
    )
    exchange_type = serializers.CharField(max_length=16, help_text="BINANCE, COINBASE or KRAKEN")
    trading_pair = serializers.CharField(max_length=32, help_text="base/quote, such as BTC/USDT")
    timeframe = serializers.CharField(max_length=4, help_text=form_text("timeframe"))
    allocated_capital = AmountField(help_text=form_text("allocated_capital"))
    strategy_config = serializers.DictField(
        default=dict, help_text="values of the bot's parameters; those left out have their defaults"
    )
    execution_config = ExecutionConfigSerializer()
    risk_config = RiskConfigSerializer(default=dict)


REVISION_HELP = "that of the subscription as you read it; one that was changed since gets 409"


class ChangeSerializer(StrictSerializer):
    """Each document is replaced as a whole; one that is left out stays as it is."""

    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1, help_text=REVISION_HELP)
    strategy_config = serializers.DictField(required=False)
    execution_config = ExecutionConfigSerializer(required=False)
    risk_config = RiskConfigSerializer(required=False)


class MoveSerializer(StrictSerializer):
    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1, help_text=REVISION_HELP)
    to_version = serializers.CharField(max_length=32, help_text="a published one of its bot, such as v1.1.0")


class LiveChoiceSerializer(StrictSerializer):
    """What going live is looked at with."""

    account_id = serializers.IntegerField(
        min_value=1, required=False, help_text="one of your live accounts; left out: the first that fits"
    )
    allocated_capital = AmountField(
        required=False, help_text="in quote; left out: as much as the subscription has"
    )


class GoLiveSerializer(StrictSerializer):
    """What its trader has seen and means; `going_live` shows it."""

    account_id = serializers.IntegerField(min_value=1, help_text="one of your live accounts")
    allocated_capital = AmountField(help_text=form_text("allocated_capital"))
    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1, help_text=REVISION_HELP)
    version = serializers.CharField(
        max_length=32, help_text="the number of the version that begins, as it was shown; another gets 409"
    )
    is_confirmed = serializers.BooleanField(help_text=f"true: {going_live.CONFIRMATION}")
    stops_rehearsal = serializers.BooleanField(
        default=False, help_text="true: the one without real money is stopped now; its record stays"
    )


class CheckSerializer(serializers.Serializer):
    words = serializers.CharField()
    is_met = serializers.BooleanField()


class DifferenceSerializer(serializers.Serializer):
    label = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class GoingLiveSerializer(serializers.Serializer):
    account_id = serializers.IntegerField(
        source="account.pk", allow_null=True, default=None, help_text="null: you have none that fits"
    )
    allocated_capital = AmountField(help_text=form_text("allocated_capital"))
    revision = serializers.IntegerField(help_text="of the subscription, for `go_live`")
    version = serializers.CharField(
        source="version.number", allow_null=True, default=None, help_text="that would begin; null: none is"
    )
    is_ready = serializers.BooleanField(help_text="whether all checks are met, and nothing is a problem")
    checks = CheckSerializer(many=True, help_text="what has to be so first")
    problems = serializers.ListField(child=serializers.CharField(), help_text="what else is wrong")
    differences = DifferenceSerializer(many=True, help_text="to the settings that run without real money")
    loss = serializers.ListField(child=serializers.CharField(), help_text="what you can lose")
    confirmation = serializers.CharField(help_text="what `is_confirmed` says")


class SubscriptionSerializer(serializers.ModelSerializer):
    bot_id = serializers.IntegerField()
    bot = serializers.CharField(source="bot.name")
    version = serializers.CharField(source="version.number")
    account_id = serializers.IntegerField(allow_null=True, help_text="null is paper")
    rehearsal_id = serializers.IntegerField(
        allow_null=True, help_text="the subscription that tried this without real money before; null: none"
    )
    exchange_type = serializers.CharField(source="market.exchange")
    trading_pair = serializers.CharField(source="market.trading_pair")
    allocated_capital = AmountField(help_text=form_text("allocated_capital"))
    strategy_config = serializers.DictField()
    execution_config = ExecutionConfigSerializer(source="execution")
    risk_config = RiskConfigSerializer(source="chosen_risk", help_text="as you chose")
    risk_in_force = RiskConfigSerializer(
        source="risk", help_text="what holds: your choice, or the platform's limit where that is stricter"
    )

    class Meta:
        model = Subscription
        fields = [
            "id",
            "bot_id",
            "bot",
            "version",
            "account_id",
            "rehearsal_id",
            "exchange_type",
            "trading_pair",
            "timeframe",
            "allocated_capital",
            "strategy_config",
            "execution_config",
            "risk_config",
            "risk_in_force",
            "state",
            "state_reason",
            "revision",
            "created_at",
        ]
        read_only_fields = fields
