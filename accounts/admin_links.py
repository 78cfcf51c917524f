"""Links between the admin's pages."""

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def link_to(row: Model | None) -> SafeString | str:
    """Return a link to the row's own admin page, or a dash."""
    if row is None:
        return "–"
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)


def link_to_list(model: str, text: str, **filters: object) -> SafeString:
    """Return a link to a model's admin list, filtered; `model` is a label such as "bots.bot"."""
    url = reverse(f"admin:{model.replace('.', '_')}_changelist", query=filters)
    return format_html('<a href="{}">{}</a>', url, text)
