from collections.abc import Iterable
from typing import Any

from django import forms

from bots.models import Category


class CatalogueForm(forms.Form):
    """What the catalogue's address may ask for; `categories` are those with bots in them."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, idea or developer"}),
    )

    def __init__(self, *args: Any, categories: Iterable[Category], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"] = forms.ChoiceField(
            choices=[(category.slug, category.name) for category in categories],
            required=False,
            widget=forms.HiddenInput,
            error_messages={
                "invalid_choice": "There is no category “%(value)s” with bots in it. Choose one below."
            },
        )
