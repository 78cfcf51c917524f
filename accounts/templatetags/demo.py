"""Says whether this is the demo, whose people and secrets are no secrets."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def is_demo() -> bool:
    return bool(settings.DEMO)
