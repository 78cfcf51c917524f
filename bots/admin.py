from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from accounts.admin_links import link_to, link_to_list
from accounts.admin_records import RecordAdmin
from accounts.models import User
from bots import moderation
from bots.errors import PublishingError
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


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="The developer and the traders read it.",
    )


class DecidedAdmin(admin.ModelAdmin):
    """Whose state changes by decisions alone, which have a reason and are nobody's about their own."""

    def decide(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        title: str,
        says: str,
        decision: Callable[[Any, str], object],
    ) -> HttpResponse | None:
        """Ask for the reason first, and then decide about each row."""
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            for row in rows:
                try:
                    decision(row, form.cleaned_data["reason"])
                except PublishingError as error:
                    self.message_user(request, str(error), messages.ERROR)
                else:
                    self.message_user(request, f"{row}: done.", messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "says": says,
            "opts": self.opts,
            "rows": rows,
            "form": form,
            "action": request.POST["action"],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/bots/decide.html", context)


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
    readonly_fields = ["number", "state", "warm_up", "created_at"]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Bot)
class BotAdmin(DecidedAdmin):
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
    readonly_fields = ["state", "state_reason"]
    kept_fields = ["developer", "name", "slug"]  # from when there is a bot: whose it is decides who judges it
    autocomplete_fields = ["developer"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [VersionInline]
    actions = ["suspend", "lift_suspension"]

    @admin.action(description="Suspend…", permissions=["change"])
    def suspend(self, request: HttpRequest, bots: QuerySet[Bot]) -> HttpResponse | None:
        staff = _staff(request)
        says = "All their versions stop at once, and they leave the catalogue. Stops still act."
        return self.decide(
            request,
            bots,
            "Suspend",
            says,
            lambda bot, reason: moderation.suspend(bot=bot, by=staff, reason=reason),
        )

    @admin.action(description="Lift the suspension", permissions=["change"])
    def lift_suspension(self, request: HttpRequest, bots: QuerySet[Bot]) -> None:
        for bot in bots:
            try:
                moderation.lift_suspension(bot=bot, by=_staff(request))
            except PublishingError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{bot} is listed again.", messages.SUCCESS)

    def get_readonly_fields(self, request: HttpRequest, obj: Bot | None = None) -> list[str]:  # noqa: ARG002
        return self.readonly_fields + self.kept_fields if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Bot | None = None) -> dict[str, Any]:  # noqa: ARG002
        return {} if obj else self.prepopulated_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = (
            super().get_queryset(request).annotate(subscription_count=Count("subscriptions__trader"))
        )
        return found

    @admin.display(description="developer", ordering="developer__username")
    def by(self, bot: Bot) -> SafeString | str:
        return link_to(bot.developer)

    @admin.display(description="subscriptions", ordering="subscription_count")
    def subscriptions(self, bot: Any) -> SafeString:
        count = str(bot.subscription_count)
        return link_to_list("subscriptions.subscription", count, bot__id__exact=bot.pk, trader__isnull=False)


class ArtifactInline(admin.TabularInline):
    model = Artifact
    fields = ["kind", "filename", "size", "sha256", "key"]
    readonly_fields = ["kind", "filename", "size", "sha256", "key"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(BotVersion)
class BotVersionAdmin(DecidedAdmin):
    """A version's content never changes; staff may only decide whether it runs."""

    list_display = ["number", "of", "state", "warm_up", "created_at"]
    list_filter = ["state", "created_at"]
    search_fields = ["number", "bot__name"]
    list_select_related = ["bot"]
    readonly_fields = [
        "bot",
        "number",
        "state",
        "state_reason",
        "state_before",
        "is_stateless",
        "submitted_at",
        "published_at",
        "released_at",
        "parameters",
        "risk_defaults",
        "warm_up",
        "release_notes",
        "created_at",
    ]
    inlines = [ArtifactInline]
    actions = ["pull", "release"]

    @admin.action(description="Pull…", permissions=["change"])
    def pull(self, request: HttpRequest, versions: BotVersionQuerySet) -> HttpResponse | None:
        staff, reasons = _staff(request), [Review.Reason.OTHER]
        says = "They stop at once, for all who have them; stops of what is held still act."
        return self.decide(
            request,
            versions,
            "Pull",
            says,
            lambda version, reason: moderation.pull(
                version=version, reviewer=staff, reasons=reasons, note=reason
            ),
        )

    @admin.action(description="Release from quarantine", permissions=["change"])
    def release(self, request: HttpRequest, versions: BotVersionQuerySet) -> None:
        for version in versions:
            try:
                moderation.release(version=version, reviewer=_staff(request))
            except PublishingError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, f"{version} is released.", messages.SUCCESS)

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


def _staff(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
