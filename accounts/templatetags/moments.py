"""Moments as readers see them: in UTC, with all that `static/js/time.js` needs to put them in their zone."""

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html

register = template.Library()


@register.simple_tag
def time_element(at: datetime | None, only_date: bool | str) -> str:
    """Return an aware moment as `5 Jan 2026, 14:03 UTC`, or its day alone; nothing for None."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    day = f"{at.day} {at:%b %Y}"
    return format_html(
        '<time{} datetime="{}" title="{} UTC">{}</time>',
        " data-only-date" if only_date else "",
        f"{at:%Y-%m-%dT%H:%M:%SZ}",
        f"{at:%Y-%m-%d %H:%M:%S}",
        day if only_date else f"{day}, {at:%H:%M} UTC",
    )
