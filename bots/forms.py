from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from bot_sdk.timeframes import TIMEFRAMES
from bots.catalogue import Asked, ListedCategory
from bots.facts import LONGEST_TRADING_PAIR, clean_trading_pairs
from bots.models import Bot
from bots.search import MOST_WORDS

SORTS = {
    "record": "Best record",
    "name": "Name",
    "newest": "Newest",
    "price": "Lowest price",
    "-price": "Highest price",
}
BEST_FIRST = {"": "Best first"}
MOST_REMEMBERED = 256  # forms per process, of about 50 KB each with their HTML


class CatalogueForm(forms.Form):
    """What the catalogue's address may ask for; `categories` are those with bots in them.

    It depends on nothing else, so `catalogue_form` remembers each with all that follows from it.
    """

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "Name, idea or developer"}),
    )
    type = forms.ChoiceField(label="Type", choices=[("", "Any type"), *Bot.Type.choices], required=False)
    pair = forms.CharField(
        label="Trading pair",
        required=False,
        max_length=LONGEST_TRADING_PAIR,
        widget=forms.TextInput(attrs={"placeholder": "BTC/USDT", "autocapitalize": "characters"}),
    )
    timeframe = forms.ChoiceField(
        label="Candles", choices=[("", "Any candles"), *((each, each) for each in TIMEFRAMES)], required=False
    )
    exchange = forms.ChoiceField(
        label="Exchange",
        choices=[("", "Any exchange"), *((each, each.capitalize()) for each in settings.SUPPORTED_EXCHANGES)],
        required=False,
    )
    price_from = forms.DecimalField(
        label="USD a month, from", required=False, min_value=0, max_digits=8, decimal_places=2
    )
    price_to = forms.DecimalField(
        label="USD a month, to", required=False, min_value=0, max_digits=8, decimal_places=2
    )
    days = forms.IntegerField(label="Days on paper, from", required=False, min_value=1, max_value=10_000)
    drawdown = forms.DecimalField(
        label="Drawdown in %, to", required=False, min_value=0, max_value=100, max_digits=5, decimal_places=2
    )
    sort = forms.ChoiceField(label="Sort by", choices=[*(BEST_FIRST | SORTS).items()], required=False)

    FILTERS = ("type", "pair", "timeframe", "exchange", "price_from", "price_to", "days", "drawdown")

    def __init__(self, asked: Mapping[str, str], categories: tuple[ListedCategory, ...]) -> None:
        super().__init__(asked)
        self.categories = categories
        self.fields["category"] = forms.ChoiceField(
            choices=[(category.slug, category.name) for category in categories],
            required=False,
            widget=forms.HiddenInput,
            error_messages={
                "invalid_choice": "There is no category “%(value)s” with bots in it. Choose one below."
            },
        )

    def clean_q(self) -> tuple[str, ...]:
        words = tuple(self.cleaned_data["q"].split())
        if len(words) > MOST_WORDS:
            raise ValidationError(f"Expected at most {MOST_WORDS} words, got {len(words)}.")
        return words

    def clean_pair(self) -> str:
        pair: str = self.cleaned_data["pair"]
        return clean_trading_pairs([pair.replace("-", "/")])[0] if pair else ""

    def clean_price_to(self) -> Decimal | None:
        least, most = self.cleaned_data.get("price_from"), self.cleaned_data["price_to"]
        if least is not None and most is not None and most < least:
            raise ValidationError("Expected a highest price that is not below the lowest.")
        return most  # type: ignore[no-any-return]

    @cached_property
    def asked(self) -> Asked:
        """What is asked for, once it is known to be valid."""
        return tuple(self.cleaned_data.items())

    @cached_property
    def search_html(self) -> SafeString:
        return render_to_string("bots/catalogue.html#search", {"form": self})

    @cached_property
    def categories_html(self) -> SafeString:
        return render_to_string("bots/catalogue.html#categories", {"form": self})

    @property
    def filter_fields(self) -> list[BoundField]:
        return [self[name] for name in self.FILTERS]

    @cached_property
    def is_narrowed(self) -> bool:
        """Whether fewer than all bots are asked for."""
        return bool(self.filters_set or self["q"].value() or self["category"].value())

    @cached_property
    def filters_set(self) -> int:
        """How many of the filters narrow the list."""
        return sum(bool(self[name].value()) for name in self.FILTERS)

    @cached_property
    def bot_count(self) -> int:
        """How many bots are listed in all."""
        return sum(category.bot_count for category in self.categories)

    @property
    def pills(self) -> list[tuple[ListedCategory, str]]:
        """The categories, each with the address of what is asked, in that category."""
        return [(category, self._address(category.slug)) for category in self.categories]

    @property
    def address_of_all(self) -> str:
        return self._address("")

    def _address(self, category: str) -> str:
        asked = {**self.data, "category": category}
        return f"?{urlencode({name: value for name, value in asked.items() if value})}"


def catalogue_form(asked: Mapping[str, str], categories: tuple[ListedCategory, ...]) -> CatalogueForm:
    """Return the form of what an address asks, whatever else it says."""
    names = [*CatalogueForm.base_fields, "category"]
    return _form_of(tuple((name, asked.get(name, "")) for name in names), categories)


@lru_cache(maxsize=MOST_REMEMBERED)
def _form_of(asked: tuple[tuple[str, str], ...], categories: tuple[ListedCategory, ...]) -> CatalogueForm:
    form = CatalogueForm(dict(asked), categories)
    form.full_clean()
    return form
