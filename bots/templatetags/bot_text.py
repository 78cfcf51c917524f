from datetime import datetime

from django import template
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from bots.markdown import render_or_escape
from bots.models import BotVersion

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Show what a developer wrote in Markdown."""
    return render_or_escape(text)


@register.filter
def version_state(state: str) -> str:
    """Say in words in which state a version is."""
    return BotVersion.State(state).label


@register.filter
def moment(text: object) -> datetime | None:
    """Read a moment that a check has noted; None when it is none."""
    try:
        return parse_datetime(str(text))
    except ValueError:
        return None
