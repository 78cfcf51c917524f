from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts import audit
from accounts.admin_links import link_to, link_to_list
from accounts.admin_records import RecordAdmin
from accounts.models import User
from bots import publishing
from bots.models import (
    Artifact,
    Bot,
    BotVersion,
    BotVersionQuerySet,
    Category,
    DeveloperBan,
    GateRun,
    GateStep,
    Review,
    VersionToReview,
)
from bots.review_admin import VersionToReviewAdmin


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug", "bots"]
    prepopulated_fields = {"slug": ["name"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Category.objects.annotate(bot_count=Count("bots"))

    @admin.display(description="bots")
    def bots(self, category: Any) -> SafeString:
        return link_to_list("bots.bot", str(category.bot_count), category__id__exact=category.pk)


class VersionInline(admin.TabularInline):
    model = BotVersion
    fields = ["number", "state", "warm_up", "created_at"]
    readonly_fields = ["number", "warm_up", "created_at"]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Bot)
class BotAdmin(admin.ModelAdmin):
    list_display = [
        "name",
        "bot_type",
        "category",
        "state",
        "price_per_month",
        "by",
        "subscriptions",
        "created_at",
    ]
    list_filter = ["state", "bot_type", "category"]
    search_fields = ["name", "tagline", "developer__username"]
    list_select_related = ["category", "developer"]
    autocomplete_fields = ["developer"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [VersionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = (
            super().get_queryset(request).annotate(subscription_count=Count("subscriptions"))
        )
        return found

    @admin.display(description="developer", ordering="developer__username")
    def by(self, bot: Bot) -> SafeString | str:
        return link_to(bot.developer)

    @admin.display(description="subscriptions", ordering="subscription_count")
    def subscriptions(self, bot: Any) -> SafeString:
        return link_to_list("subscriptions.subscription", str(bot.subscription_count), bot__id__exact=bot.pk)


class ArtifactInline(admin.TabularInline):
    model = Artifact
    fields = ["kind", "filename", "size", "sha256", "key"]
    readonly_fields = ["kind", "filename", "size", "sha256", "key"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(BotVersion)
class BotVersionAdmin(admin.ModelAdmin):
    """A version's content never changes; staff may only decide whether it runs."""

    list_display = ["number", "of", "state", "warm_up", "created_at"]
    list_filter = ["state", "created_at"]
    search_fields = ["number", "bot__name"]
    list_select_related = ["bot"]
    readonly_fields = [
        "bot",
        "number",
        "state_reason",
        "released_at",
        "parameters",
        "risk_defaults",
        "warm_up",
        "release_notes",
        "created_at",
    ]
    inlines = [ArtifactInline]
    actions = ["release"]

    @admin.action(description="Release from quarantine", permissions=["change"])
    def release(self, request: HttpRequest, versions: BotVersionQuerySet) -> None:
        assert isinstance(request.user, User)
        released = []
        for version in versions:
            with transaction.atomic():
                if publishing.release(version):
                    audit.record(actor=request.user, action="version.release", target=version)
                    released.append(version)
        self.message_user(request, f"{len(released)} of {versions.count()} versions released.")

    @admin.display(description="bot", ordering="bot__name")
    def of(self, version: BotVersion) -> SafeString | str:
        return link_to(version.bot)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Artifact)
class ArtifactAdmin(RecordAdmin):
    list_display = ["key", "kind", "size", "of", "created_at"]
    list_filter = ["kind", "created_at"]
    search_fields = ["key", "sha256"]
    list_select_related = ["version__bot"]

    @admin.display(description="version")
    def of(self, artifact: Artifact) -> SafeString | str:
        return link_to(artifact.version)


admin.site.register(VersionToReview, VersionToReviewAdmin)


@admin.register(DeveloperBan)
class DeveloperBanAdmin(RecordAdmin):
    """Who may publish nothing more; a ban is begun and lifted where a version is reviewed."""

    list_display = ["developer", "reason", "banned_by", "banned_at"]
    search_fields = ["developer__username", "reason"]
    list_select_related = ["developer", "banned_by"]
    date_hierarchy = "banned_at"


@admin.register(GateRun)
class GateRunAdmin(RecordAdmin):
    list_display = ["version", "state", "attempts", "created_at", "finished_at"]
    list_filter = ["state", "created_at"]
    search_fields = ["version__number", "version__bot__name"]
    list_select_related = ["version__bot"]


@admin.register(GateStep)
class GateStepAdmin(RecordAdmin):
    list_display = ["gate", "code", "state", "sentence", "finished_at"]
    list_filter = ["code", "state"]
    search_fields = ["code", "sentence", "gate__version__bot__name"]
    list_select_related = ["gate__version__bot"]


@admin.register(Review)
class ReviewAdmin(RecordAdmin):
    list_display = ["version", "decision", "reviewer", "decided_at"]
    list_filter = ["decision", "decided_at"]
    search_fields = ["version__bot__name", "reviewer__username", "note"]
    list_select_related = ["version__bot", "reviewer"]
