"""The admin's door, and the book that lies beside it.

Staff come in with their second factor, and sign in on the site's own pages.
"""

from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from accounts import second_factor
from accounts.admin_records import Audited


class StaffSite(admin.AdminSite):
    site_title = site_header = "Bot Marketplace"
    index_title = "Administration"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register as usual, with what is changed by hand audited, whichever app the admin class is from."""
        audited = type("AuditedAdmin", (Audited, admin_class or admin.ModelAdmin), {})
        super().register(model_or_iterable, audited, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and second_factor.is_given(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Refuse what no text can hold, before Django asks the database for it."""

        @wraps(view)
        def readable(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            sent = (
                value
                for form in (request.GET, request.POST)
                for _, values in form.lists()
                for value in values
            )
            if any("\x00" in value for value in sent):
                raise BadRequest("Expected text without NUL characters.")
            answer: HttpResponse = view(request, *args, **kwargs)
            return answer

        return super().admin_view(readable, cacheable)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Lead on to what is missing; Django's own form would ask for the password alone."""
        if self.has_permission(request):
            return redirect("admin:index")
        page = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(page)
        return second_factor.lead_to(request, page)
