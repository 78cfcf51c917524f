from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin_links import link_to
from accounts.admin_records import ReadsAudited, RecordAdmin
from accounts.models import User
from subscriptions import lifecycle
from subscriptions.errors import SubscriptionError
from subscriptions.models import (
    CapitalChange,
    Envelope,
    ReviewReport,
    SubscriberReview,
    Subscription,
    SubscriptionChange,
    SubscriptionDraft,
    TradingSwitch,
)


@admin.register(Subscription)
class SubscriptionAdmin(ReadsAudited):
    """Staff see everything and may pause; settings and capital are the trader's own."""

    list_display = [
        "id",
        "bot_link",
        "trader_link",
        "market_link",
        "timeframe",
        "account",
        "state",
        "created_at",
    ]
    list_filter = ["state", "account__environment", "timeframe", "market__exchange", "bot"]
    search_fields = ["bot__name", "trader__username", "market__trading_pair"]
    list_select_related = ["bot", "trader", "market", "account"]
    date_hierarchy = "created_at"
    view_on_site = False  # pages on the site are the trader's own
    actions = ["pause_selected"]

    @admin.display(description="bot", ordering="bot__name")
    def bot_link(self, subscription: Subscription) -> SafeString | str:
        return link_to(subscription.bot)

    @admin.display(description="trader", ordering="trader__username")
    def trader_link(self, subscription: Subscription) -> SafeString | str:
        return link_to(subscription.trader)

    @admin.display(description="market", ordering="market__trading_pair")
    def market_link(self, subscription: Subscription) -> SafeString | str:
        return link_to(subscription.market)

    @admin.action(description="Pause selected subscriptions", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        assert isinstance(request.user, User)
        if queryset.filter(trader=None).exists():
            ours = "The marketplace's own runs follow what is offered; stop the version or its bot instead."
            self.message_user(request, ours, messages.WARNING)
        for subscription in queryset.exclude(trader=None):
            try:
                lifecycle.pause_by_staff(subscription=subscription, staff=request.user)
            except SubscriptionError as error:
                self.message_user(request, f"{subscription}: {error}", messages.WARNING)

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        return [field.name for field in Subscription._meta.fields]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        return False


@admin.register(TradingSwitch)
class TradingSwitchAdmin(RecordAdmin):
    list_display = ["__str__", "state", "reason", "changed_by", "changed_at"]
    list_filter = ["state"]
    search_fields = ["trader__username", "reason"]
    list_select_related = ["trader", "changed_by"]


@admin.register(Envelope)
class EnvelopeAdmin(RecordAdmin):
    list_display = ["__str__", "max_exposure", "max_daily_loss"]
    list_filter = ["quote"]
    search_fields = ["trader__username"]
    list_select_related = ["trader"]


@admin.register(SubscriptionChange)
class SubscriptionChangeAdmin(RecordAdmin):
    list_display = ["subscription", "revision", "changed_at"]
    search_fields = ["subscription__bot__name", "subscription__trader__username"]
    list_select_related = ["subscription__bot", "subscription__market"]
    date_hierarchy = "changed_at"


@admin.register(CapitalChange)
class CapitalChangeAdmin(RecordAdmin):
    list_display = ["subscription", "amount", "capital", "changed_at"]
    search_fields = ["subscription__bot__name", "subscription__trader__username"]
    list_select_related = ["subscription__bot", "subscription__market"]
    date_hierarchy = "changed_at"


@admin.register(SubscriberReview)
class SubscriberReviewAdmin(RecordAdmin):
    """Read here; hidden on the site's page of reported reviews, with a reason."""

    list_display = ["bot", "trader", "stars", "created_at", "hidden_at"]
    list_filter = ["stars", "is_live"]
    search_fields = ["bot__name", "trader__username", "text"]
    list_select_related = ["bot", "trader"]
    date_hierarchy = "created_at"


@admin.register(ReviewReport)
class ReviewReportAdmin(RecordAdmin):
    list_display = ["review", "reporter", "reason", "created_at", "settled_at"]
    search_fields = ["reporter__username", "review__bot__name"]
    list_select_related = ["review__bot", "review__trader", "reporter"]


@admin.register(SubscriptionDraft)
class SubscriptionDraftAdmin(RecordAdmin):
    list_display = ["trader", "bot", "changed_at"]
    search_fields = ["bot__name", "trader__username"]
    list_select_related = ["trader", "bot"]
