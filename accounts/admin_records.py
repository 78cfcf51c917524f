"""What the admin's classes share: records that nobody edits, and changes that are written down."""

from typing import Any, override

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import audit
from accounts.models import User


class RecordAdmin(admin.ModelAdmin):
    """Shown, and neither added, changed nor deleted by hand."""

    show_full_result_count = False
    view_on_site = False  # pages on the site are their owners'

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadsAudited(admin.ModelAdmin):
    """Writes into the audit log which person's row staff look at."""

    @override
    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        response = super().render_change_form(request, context, add, change, form_url, obj)
        if obj is not None and request.method in ("GET", "HEAD"):
            assert isinstance(request.user, User)
            audit.record(actor=request.user, action=f"{obj._meta.model_name}.read", target=obj)
        return response


class Audited(admin.ModelAdmin):
    """Writes what staff do by hand into the audit log: which row and which fields, never their values."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, obj, "add", fields=message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, obj, "change", fields=message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            self._record(request, row, "delete")
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, row: Model, deed: str, **details: Any) -> None:
        assert isinstance(request.user, User)
        audit.record(actor=request.user, action=f"{row._meta.model_name}.{deed}", target=row, **details)
