"""Says where prices come from, so that no page passes off a simulated market as a real one."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def is_market_simulated() -> bool:
    return bool(settings.MARKET_DATA == "simulator")
