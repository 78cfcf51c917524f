from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString

from bots.markdown import render_or_escape
from bots.models import BotVersion

register = template.Library()

LEAST_MOVE_FRACTION = 0.02  # of an equity, as in the charts: moves of less look small


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
    """Return the points of an SVG polyline through the values of an equity, in a box such as "120x32".

    They fill the box, unless they hardly move: then the line is nearly flat.
    """
    width, height = map(int, size.split("x"))
    middle = (min(values) + max(values)) / 2
    least = abs(middle) * LEAST_MOVE_FRACTION
    step, scale = width / max(len(values) - 1, 1), height / (max(max(values) - min(values), least) or 1)
    rising = (round(height / 2 - (value - middle) * scale, 1) for value in values)
    return " ".join(f"{round(index * step, 1)},{y}" for index, y in enumerate(rising))
