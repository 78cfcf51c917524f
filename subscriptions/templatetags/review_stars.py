from django import template

from subscriptions.models import SubscriberReview

register = template.Library()


@register.filter
def star_by_star(stars: int) -> list[bool]:
    """Return of each star that can be given whether it was."""
    return [number <= stars for number in range(1, SubscriberReview.MOST_STARS + 1)]
