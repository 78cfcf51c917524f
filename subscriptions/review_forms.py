"""What is filled in about a bot by its subscribers, its developer, whoever reads it, and staff."""

from django import forms

from subscriptions.models import SubscriberReview
from subscriptions.reviewing import LONGEST_REASON, LONGEST_TEXT

_STARS = range(SubscriberReview.MOST_STARS, SubscriberReview.FEWEST_STARS - 1, -1)


def _text(*, rows: int, label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=LONGEST_TEXT,
        strip=True,
        widget=forms.Textarea(attrs={"rows": rows}),
    )


class ReviewForm(forms.Form):
    stars = forms.TypedChoiceField(
        label="Stars",
        coerce=int,
        choices=[(each, f"{each} {'star' if each == 1 else 'stars'}") for each in _STARS],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose 1 to 5 stars.", "invalid_choice": "Choose 1 to 5 stars."},
    )
    text = _text(
        label="What you found",
        rows=6,
        help_text=f"Plain text of up to {LONGEST_TEXT:,} characters. Did it do what it says? On which "
        "market, with which settings? Your user name stands beside it, and how long you have had the bot.",
    )


class AnswerForm(forms.Form):
    answer = _text(
        label="Your answer",
        rows=4,
        help_text="Plain text, below the review, for everybody. You answer once, and cannot change it.",
    )


class ReasonForm(forms.Form):
    """Why a review must not stand."""

    reason = forms.CharField(label="Reason", max_length=LONGEST_REASON, strip=True)
