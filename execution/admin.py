"""Records of what happened: staff read them; nothing here is added, changed or deleted by hand.

The one thing that staff may say is that an order of unknown fate never arrived.
"""

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from accounts.admin_links import link_to
from accounts.admin_records import ReadsAudited, RecordAdmin
from accounts.models import User
from execution import settling
from execution.errors import OrderError
from execution.forms import EndOrdersForm
from execution.models import (
    Backtest,
    BotRecord,
    CodeShape,
    Comparison,
    Cycle,
    Fill,
    Order,
    Position,
    Reconciliation,
    Replay,
    Strike,
    SubscriptionPerformance,
)


class TradingRecordAdmin(ReadsAudited, RecordAdmin):
    @admin.display(description="subscription")
    def subscription_link(
        self, row: Cycle | Order | Position | SubscriptionPerformance | Comparison
    ) -> SafeString | str:
        return link_to(row.subscription)


@admin.register(Cycle)
class CycleAdmin(TradingRecordAdmin):
    list_display = [
        "candle_closed_at",
        "subscription_link",
        "state",
        "verdict",
        "action",
        "signal_action",
        "skip",
        "price",
        "bot_seconds",
        "order_link",
    ]
    list_filter = ["state", "verdict", "action", "signal_action", "skip", "subscription__timeframe"]
    search_fields = ["subscription__bot__name", "subscription__trader__username", "reason", "message"]
    list_select_related = ["subscription__bot", "subscription__market", "order__subscription__market"]
    date_hierarchy = "candle_closed_at"

    @admin.display(description="order")
    def order_link(self, cycle: Cycle) -> SafeString | str:
        return link_to(getattr(cycle, "order", None))


class FillInline(admin.TabularInline):
    model = Fill
    fields = ["trade_id", "price", "amount", "cost", "fee", "fee_currency", "filled_at"]
    readonly_fields = ["trade_id", "price", "amount", "cost", "fee", "fee_currency", "filled_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Order)
class OrderAdmin(TradingRecordAdmin):
    list_display = ["created_at", "subscription_link", "side", "amount", "state", "message", "cycle_link"]
    list_filter = ["state", "side", "subscription__market__exchange"]
    search_fields = ["client_order_id", "exchange_order_id", "subscription__trader__username"]
    list_select_related = ["subscription__bot", "subscription__market", "cycle__subscription__bot"]
    date_hierarchy = "created_at"
    inlines = [FillInline]
    actions = ["end_selected"]

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("execution.end_order")

    @admin.action(description="End orders of unknown fate…", permissions=["end"])
    def end_selected(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        """Ask for the reason first, and then end those that can be ended."""
        form = EndOrdersForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self._end(request, orders, form.cleaned_data["reason"])
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "End orders of unknown fate",
            "opts": self.opts,
            "orders": orders.select_related("subscription__market"),
            "form": form,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/execution/order/end.html", context)

    def _end(self, request: HttpRequest, orders: QuerySet[Order], reason: str) -> None:
        assert isinstance(request.user, User)
        for order in orders:
            try:
                settling.end_by_staff(order=order, staff=request.user, reason=reason)
            except OrderError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"Order {order.pk} is ended.", messages.SUCCESS)

    @admin.display(description="cycle")
    def cycle_link(self, order: Order) -> SafeString | str:
        return link_to(order.cycle)


@admin.register(Fill)
class FillAdmin(ReadsAudited, RecordAdmin):
    list_display = ["filled_at", "order_link", "price", "amount", "cost", "fee", "fee_currency"]
    list_filter = ["fee_currency", "order__side"]
    search_fields = ["trade_id", "order__client_order_id"]
    list_select_related = ["order__subscription__market"]
    date_hierarchy = "filled_at"

    @admin.display(description="order")
    def order_link(self, fill: Fill) -> SafeString | str:
        return link_to(fill.order)


@admin.register(Position)
class PositionAdmin(TradingRecordAdmin):
    list_display = [
        "subscription_link",
        "quote_balance",
        "base_amount",
        "cost_basis",
        "realized_pnl",
        "fees_paid",
        "updated_at",
    ]
    list_filter = ["subscription__state", "subscription__market__exchange"]
    search_fields = ["subscription__bot__name", "subscription__trader__username"]
    list_select_related = ["subscription__bot", "subscription__market"]


@admin.register(Strike)
class StrikeAdmin(RecordAdmin):
    list_display = ["created_at", "version_link", "verdict", "candle_closed_at", "message"]
    list_filter = ["verdict", "created_at"]
    search_fields = ["version__bot__name", "message"]
    list_select_related = ["version__bot"]

    @admin.display(description="version")
    def version_link(self, strike: Strike) -> SafeString | str:
        return link_to(strike.version)


@admin.register(Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    list_display = ["at", "account_link", "is_judged", "is_clean", "found"]
    list_filter = ["is_clean", "is_judged", "account__exchange"]
    search_fields = ["account__label", "account__owner__username"]
    list_select_related = ["account"]
    date_hierarchy = "at"

    @admin.display(description="account")
    def account_link(self, row: Reconciliation) -> SafeString | str:
        return link_to(row.account)

    @admin.display(description="found")
    def found(self, row: Reconciliation) -> str:
        return " ".join(finding["says"] for finding in row.findings)


@admin.register(Backtest)
class BacktestAdmin(RecordAdmin):
    list_display = ["created_at", "requested_by", "version_link", "market", "timeframe", "state", "verdict"]
    list_filter = ["state", "verdict", "timeframe", "is_shared", "market__exchange"]
    search_fields = ["version__bot__name", "requested_by__username", "message"]
    list_select_related = ["version__bot", "market", "requested_by"]
    date_hierarchy = "created_at"
    exclude = ["report"]  # its page shows it in words

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backtest]:
        return super().get_queryset(request).defer("report", "log")

    @admin.display(description="version")
    def version_link(self, row: Backtest) -> SafeString | str:
        return link_to(row.version)


@admin.register(SubscriptionPerformance)
class SubscriptionPerformanceAdmin(TradingRecordAdmin):
    list_display = ["subscription_link", "measured_at", "measured_until", "trades"]
    search_fields = ["subscription__bot__name", "subscription__trader__username"]
    list_select_related = ["subscription__bot", "subscription__market"]
    date_hierarchy = "measured_at"


@admin.register(BotRecord)
class BotRecordAdmin(RecordAdmin):
    list_display = ["version", "kind", "measured_at", "days"]
    list_filter = ["kind", "measured_at"]
    search_fields = ["version__bot__name", "version__number"]
    list_select_related = ["version__bot"]


@admin.register(CodeShape)
class CodeShapeAdmin(RecordAdmin):
    """What similarity is measured by; the numbers themselves say nothing to a person."""

    list_display = ["version"]
    search_fields = ["version__bot__name"]
    list_select_related = ["version__bot"]


@admin.register(Replay)
class ReplayAdmin(RecordAdmin):
    list_display = ["asked_at", "asked_by", "cycle_link", "state", "is_same", "message"]
    list_filter = ["state", "is_same", "asked_at"]
    search_fields = ["asked_by__username", "cycle__subscription__bot__name", "message"]
    list_select_related = ["asked_by", "cycle__subscription__bot", "cycle__subscription__market"]
    date_hierarchy = "asked_at"

    @admin.display(description="cycle")
    def cycle_link(self, replay: Replay) -> SafeString | str:
        return link_to(replay.cycle)


@admin.register(Comparison)
class ComparisonAdmin(TradingRecordAdmin):
    list_display = ["asked_at", "asked_by", "subscription_link", "version", "state", "message"]
    list_filter = ["state", "asked_at"]
    search_fields = ["asked_by__username", "subscription__bot__name", "message"]
    list_select_related = ["asked_by", "subscription__bot", "subscription__market", "version__bot"]
    date_hierarchy = "asked_at"
