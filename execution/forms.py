"""What staff fill in about orders."""

from django import forms

LONGEST_REASON = 200


class EndOrdersForm(forms.Form):
    """How orders of unknown fate ended, and how staff know. There is no choice that books a trade."""

    NEVER_ARRIVED = "NOT_SENT"

    outcome = forms.ChoiceField(
        label="What became of it",
        choices=[(NEVER_ARRIVED, "It never arrived: the exchange has no order and no trade of it")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="How you know",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 80}),
        help_text="Its trader reads it, and it stays in the log with your name.",
    )
