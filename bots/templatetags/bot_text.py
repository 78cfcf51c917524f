from collections.abc import Sequence
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


@register.filter
def polyline(values: Sequence[float], size: str) -> str:
    """Return the points of an SVG polyline through the values, in a box of a size such as "120x32"."""
    width, height = map(int, size.split("x"))
    lowest, highest = min(values), max(values)
    step, scale = width / max(len(values) - 1, 1), height / ((highest - lowest) or 1)
    rising = (round(height - (value - lowest) * scale, 1) for value in values)
    return " ".join(f"{round(index * step, 1)},{y}" for index, y in enumerate(rising))
