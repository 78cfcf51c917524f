"""What the API says and takes about exchanges. Amounts are text, so that no reader rounds them."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.serializers import StrictSerializer
from exchanges.forms import AddAccountForm
from exchanges.models import ExchangeAccount


def exact_text(value: Decimal | float) -> str:
    """Return every digit and no more, without an exponent: 5.00 is "5", 1E-8 is "0.00000001"."""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class AmountField(serializers.DecimalField):
    """Up to 20 digits before the point and 18 after it; taken as text or number, answered as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=38, decimal_places=18, **kwargs)

    def to_representation(self, value: Decimal) -> str:
        return exact_text(value)


class ExchangeSerializer(serializers.Serializer):
    exchange_type = serializers.CharField()
    name = serializers.CharField()
    timeframes = serializers.ListField(child=serializers.CharField())


class SupportedSerializer(serializers.Serializer):
    default = serializers.CharField(help_text="the exchange_type that forms begin with")
    exchanges = ExchangeSerializer(many=True)


class CredentialsSerializer(StrictSerializer):
    """The fields of the page's form; which keys and secrets are acceptable is known to that."""

    label = serializers.CharField(max_length=60, help_text=str(AddAccountForm.base_fields["label"].help_text))
    exchange_type = serializers.CharField(max_length=16)
    environment = serializers.ChoiceField(
        ExchangeAccount.Environment.choices,
        help_text=str(AddAccountForm.base_fields["environment"].help_text),
    )
    api_key = serializers.CharField(
        help_text=str(AddAccountForm.base_fields["api_key"].help_text), write_only=True
    )
    secret = serializers.CharField(
        help_text=str(AddAccountForm.base_fields["secret"].help_text), write_only=True
    )


class AccountSerializer(serializers.ModelSerializer):
    exchange_type = serializers.CharField(source="exchange")
    permissions = serializers.DictField(
        child=serializers.BooleanField(allow_null=True),
        help_text="can_read, can_trade, can_withdraw and has_address_restriction, as the exchange told last",
    )

    class Meta:
        model = ExchangeAccount
        fields = [
            "id",
            "label",
            "exchange_type",
            "environment",
            "state",
            "state_reason",
            "api_key_hint",
            "permissions",
            "has_address_restriction",
            "checked_at",
            "created_at",
        ]


class ValidationSerializer(serializers.Serializer):
    account = AccountSerializer()
    ask_at = serializers.CharField(help_text="where the account's state tells what the exchange said")


class HeldSerializer(serializers.Serializer):
    free = AmountField()
    locked = AmountField()


class BalanceSerializer(serializers.ModelSerializer):
    account_id = serializers.IntegerField(source="id")
    exchange_type = serializers.CharField(source="exchange")
    balances = serializers.DictField(
        source="held",
        child=HeldSerializer(),
        help_text="by asset; empty for a paper account, where each subscription has its own ledger",
    )

    class Meta:
        model = ExchangeAccount
        fields = ["account_id", "label", "exchange_type", "environment", "balances", "balances_at"]
