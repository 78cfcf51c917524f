"""Where staff review: what waits, the longest first, and a page with all that a decision needs.

Whoever opens that page reads a developer's code, which is noted in the audit log.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.timesince import timesince

from accounts import audit
from accounts.admin_records import RecordAdmin
from accounts.models import User
from bot_sdk.gate_steps import GATE_STEPS
from bots import markdown, packages, reading, storage
from bots.errors import ArtifactError, PublishingError
from bots.history import history_of
from bots.models import BotVersion, DeveloperBan, GateRun, GateStep, Review, VersionToReview
from bots.review_forms import DecisionForm, decisions

BOTS_SHOWN = 20  # of the developer's other ones
REVIEWS_SHOWN = 20
LONGEST_ID = 18  # digits, which the database can hold


class WaitingFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "All submitted"), *BotVersion.State.choices]

    def choices(self, changelist: Any) -> Any:
        waiting, *others = super().choices(changelist)
        return [{**waiting, "display": "Waiting for review"}, *others]

    def queryset(self, request: HttpRequest, versions: QuerySet[VersionToReview]) -> Any:
        if self.value() == "all":
            return versions
        return versions.filter(state=self.value() or BotVersion.State.IN_REVIEW)


class VersionToReviewAdmin(RecordAdmin):
    list_display = ["version", "developer", "submitted_at", "waiting", "checks", "state"]
    list_filter = [WaitingFilter, "bot__bot_type", "bot__category"]
    search_fields = ["number", "bot__name", "bot__developer__username"]
    list_select_related = ["bot__developer", "gate"]
    date_hierarchy = "submitted_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).exclude(state=BotVersion.State.DRAFT)

    def get_urls(self) -> list[URLPattern]:
        package = path(
            "<int:pk>/package.zip",
            self.admin_site.admin_view(self.package),
            name="bots_versiontoreview_package",
        )
        return [package, *super().get_urls()]

    @admin.display(description="version", ordering="bot__name")
    def version(self, version: VersionToReview) -> str:
        return str(version)

    @admin.display(description="developer", ordering="bot__developer__username")
    def developer(self, version: VersionToReview) -> str:
        return version.bot.developer.username

    @admin.display(description="waiting for")
    def waiting(self, version: VersionToReview) -> str:
        if version.state != BotVersion.State.IN_REVIEW or version.submitted_at is None:
            return "–"
        return timesince(version.submitted_at, depth=1)

    @admin.display(description="checks")
    def checks(self, version: VersionToReview) -> str:
        gate: GateRun | None = getattr(version, "gate", None)
        return gate.get_state_display() if gate else "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what a decision needs, and take it."""
        version = self._version(request, object_id)
        assert isinstance(request.user, User)
        ban = DeveloperBan.objects.filter(developer=version.bot.developer_id).first()
        forms = decisions(version, ban, request.POST if request.method == "POST" else None)
        if request.method == "POST":
            if not self._may_decide(request, version):
                raise PermissionDenied
            chosen = next((form for form in forms if form.is_bound), None)
            if chosen is None:
                self.message_user(
                    request, "That cannot be decided any more. This is how it is now.", messages.WARNING
                )
            elif self._decide(request, version, chosen):
                return redirect("admin:bots_versiontoreview_changelist")
        else:
            audit.record(actor=request.user, action="version.read", target=version)
        context = {
            **self.admin_site.each_context(request),
            **_facts(version),
            "title": str(version),
            "opts": self.opts,
            "ban": ban,
            "forms": forms,
            "may_decide": self._may_decide(request, version),
            "is_own": version.bot.developer_id == request.user.pk,
        }
        is_refused = any(form.errors for form in forms)
        return TemplateResponse(request, "admin/bots/review.html", context, status=400 if is_refused else 200)

    def package(self, request: HttpRequest, pk: int) -> HttpResponse | FileResponse:
        """The version's files as a zip."""
        version = self._version(request, str(pk))
        assert isinstance(request.user, User)
        try:
            package = packages.pack(version)
        except ArtifactError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(reverse("admin:bots_versiontoreview_change", args=[pk]))
        audit.record(actor=request.user, action="version.download", target=version)
        return FileResponse(package, as_attachment=True, filename=packages.filename(version))

    def _version(self, request: HttpRequest, pk: str) -> BotVersion:
        if not self.has_view_permission(request):
            raise PermissionDenied
        versions = BotVersion.objects.exclude(state=BotVersion.State.DRAFT).select_related(
            "bot__developer", "bot__category"
        )
        return get_object_or_404(versions, pk=int(pk) if pk.isdecimal() and len(pk) <= LONGEST_ID else 0)

    def _may_decide(self, request: HttpRequest, version: BotVersion) -> bool:
        is_own = version.bot.developer_id == request.user.pk
        return not is_own and request.user.has_perm("bots.change_botversion")

    def _decide(self, request: HttpRequest, version: BotVersion, form: DecisionForm) -> bool:
        """Carry out what the form says; whether it was done. What is in the way is among its errors."""
        assert isinstance(request.user, User)
        if not form.is_valid():
            return False
        try:
            form.decide(version, request.user)
        except ValidationError as error:
            form.add_error(None, error)
        except PublishingError as error:
            self.message_user(request, str(error), messages.ERROR)
            return True
        else:
            self.message_user(request, f"{form.title}: {version}. It is in the audit log.", messages.SUCCESS)
            return True
        return False


def _facts(version: BotVersion) -> dict[str, Any]:
    gate = GateRun.objects.filter(version=version).prefetch_related("steps").first()
    steps = list(gate.steps.all()) if gate else []
    developer = version.bot.developer
    reviews = Review.objects.filter(version__bot__developer=developer).select_related(
        "version__bot", "reviewer"
    )
    return {
        "version": version,
        "bot": version.bot,
        "description": markdown.render(version.bot.description),
        "artifacts": version.artifacts.all(),
        "most_lines": reading.MOST_LINES_SHOWN,
        "gate": gate,
        "steps": [(step, GATE_STEPS.get(step.code)) for step in steps],
        "history": history_of(version, gate, version.reviews.all()),
        "bots": developer.bots.exclude(pk=version.bot_id).order_by("-created_at")[:BOTS_SHOWN],
        "reviews": reviews[:REVIEWS_SHOWN],
        **_code_facts(version, steps),
    }


def _code_facts(version: BotVersion, steps: Sequence[GateStep]) -> dict[str, Any]:
    """Return the code's lines with what was found at each, and what changed since the last approved."""
    try:
        code = storage.read_code(version)
    except ArtifactError as error:
        return {"problem": str(error)}
    found: defaultdict[int, list[str]] = defaultdict(list)
    for step in steps:
        for each in step.evidence:
            if isinstance(line := each.get("line"), int):
                found[line].append(each.get("message") or step.sentence)
    lines = [(number, line, found[number]) for number, line in enumerate(reading.colored_lines(code), 1)]
    facts: dict[str, Any] = {"lines": lines, "before": _last_approved(version)}
    facts["is_cut"] = reading.is_cut(code)
    if facts["before"] is not None:
        try:
            facts["changes"] = reading.changes(storage.read_code(facts["before"]), code)
        except (reading.TooMuchToCompareError, ArtifactError) as error:
            facts["no_changes"] = str(error)
    return facts


def _last_approved(version: BotVersion) -> BotVersion | None:
    approved = version.bot.versions.exclude(published_at=None).exclude(pk=version.pk)
    return approved.filter(created_at__lt=version.created_at).order_by("-created_at", "-pk").first()
