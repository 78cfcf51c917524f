"""What staff fill in about orders, and people about how far bots may trade."""

from collections.abc import Sequence
from typing import Any

from django import forms

from subscriptions.forms import AmountField
from subscriptions.models import Envelope, TradingState

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


class StateForm(forms.Form):
    """How far bots may trade."""

    state = forms.ChoiceField(label="Bots", choices=TradingState.choices, widget=forms.RadioSelect)
    reason = forms.CharField(
        label="Why",
        max_length=200,
        required=False,
        help_text="Needed unless bots trade. Shown wherever they are held back.",
    )


class EnvelopeForm(forms.Form):
    """What all bots together may do in one quote currency."""

    quote = forms.ChoiceField(widget=forms.HiddenInput)
    max_exposure = AmountField(
        label="Largest exposure",
        required=False,
        help_text="What all positions together may be worth by buying.",
    )
    max_daily_loss = AmountField(
        label="Largest loss per day",
        required=False,
        help_text="After it nothing is bought until midnight UTC.",
    )

    def __init__(self, *args: Any, quotes: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["quote"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(quote, quote) for quote in quotes]

    @classmethod
    def of(cls, envelope: Envelope | None, quote: str, quotes: Sequence[str]) -> "EnvelopeForm":
        """Return the form as things stand; each currency's has ids of its own on the page."""
        initial: dict[str, Any] = {"quote": quote}
        if envelope is not None:
            initial |= {"max_exposure": envelope.max_exposure, "max_daily_loss": envelope.max_daily_loss}
        return cls(initial=initial, quotes=quotes, auto_id=f"id_{quote}_%s")
