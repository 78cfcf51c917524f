from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_records import ReadsAudited, RecordAdmin
from exchanges.models import Candle, ExchangeAccount, Market


@admin.register(Market)
class MarketAdmin(admin.ModelAdmin):
    list_display = [
        "trading_pair",
        "exchange",
        "taker_fee_fraction",
        "minimum_cost",
        "is_active",
        "refreshed_at",
    ]
    list_filter = ["exchange", "is_active", "quote"]
    search_fields = ["trading_pair"]

    def get_readonly_fields(self, request: HttpRequest, obj: Market | None = None) -> list[str]:
        """What the exchange says is not ours to edit; whether we trade there is."""
        return [field.name for field in Market._meta.fields if field.name != "is_active"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Market | None = None) -> bool:
        return False


@admin.register(Candle)
class CandleAdmin(RecordAdmin):
    """Candles are facts: shown, never edited."""

    list_display = ["market", "timeframe", "opened_at", "open", "high", "low", "close", "volume"]
    list_filter = ["timeframe", "market"]
    list_select_related = ["market"]
    date_hierarchy = "opened_at"


@admin.register(ExchangeAccount)
class ExchangeAccountAdmin(ReadsAudited, RecordAdmin):
    """Staff see whose account is in what state; the keys, sealed as they are, are shown to nobody."""

    list_display = ["label", "owner", "exchange", "environment", "state", "key_id", "checked_at"]
    list_filter = ["exchange", "environment", "state", "key_id"]
    search_fields = ["label", "owner__username"]
    list_select_related = ["owner"]
    exclude = ["sealed", "key_fingerprint"]
