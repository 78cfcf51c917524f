from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class Pages(PageNumberPagination):
    """A list in pages. A parameter that it does not know is refused, not passed over in silence."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100

    def paginate_queryset(self, queryset: QuerySet, request: Request, view: Any = None) -> list[Any] | None:
        known = {self.page_query_param, self.page_size_query_param}
        unknown = {name: [f"Unknown; use {', '.join(sorted(known))}."] for name in request.query_params}
        if not known.issuperset(unknown):
            raise ValidationError({name: text for name, text in unknown.items() if name not in known})
        found: list[Any] | None = super().paginate_queryset(queryset, request, view)
        return found
