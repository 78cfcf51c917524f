from django import template

from subscriptions.models import SubscriberReview

register = template.Library()


@register.filter
def drawn(stars: int) -> str:
    """Draw so many stars out of all that can be given."""
    return "★" * stars + "☆" * (SubscriberReview.MOST_STARS - stars)
