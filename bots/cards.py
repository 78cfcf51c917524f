"""Bots as lists show them: read as plain values, and their HTML remembered by what it shows.

A card's template costs more than its row. Its HTML is found again by all the facts that are in it, so that it
is never out of date: other facts are another card.
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Model, OuterRef, Subquery, TextField
from django.db.models.functions import Cast
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from accounts.models import User
from bots.catalogue import Asked, listed
from bots.forms import CatalogueForm
from bots.listings import Listing, Statement
from bots.models import Bot, BotVersion, Category

MOST_REMEMBERED = 4096  # cards per process, of about 3 KB each
MOST_STATEMENTS = 512  # of about 3 KB each


class CardFacts(NamedTuple):
    """All that a card shows, in columns; those of the bot that are JSON as their text."""

    name: str
    slug: str
    tagline: str
    bot_type: str
    price_per_month: Any
    record_text: str | None
    trading_pairs_text: str
    timeframes_text: str
    category_name: str
    developer_name: str
    version_number: str


def listing(form: CatalogueForm) -> Listing:
    """Return the list that a valid form asks for, each row as `CardFacts` has it."""
    is_whole = not form.is_narrowed
    return Listing(_statement(form.asked), (lambda: form.bot_count) if is_whole else listed(form.asked).count)


@lru_cache(maxsize=MOST_STATEMENTS)
def _statement(asked: Asked) -> Statement:
    as_text = {f"{name}_text": Cast(name, TextField()) for name in ("trading_pairs", "timeframes")}
    # looked up for each row that is shown: to plan the joins takes longer than to read the rows
    names = {
        "category_name": _looked_up(Category, "category", "name"),
        "developer_name": _looked_up(User, "developer", "username"),
        "version_number": _looked_up(BotVersion, "newest_published", "number"),
    }
    return Statement.of(listed(asked).annotate(**as_text, **names).values_list(*CardFacts._fields))


def _looked_up(model: type[Model], reference: str, field: str) -> Subquery:
    return Subquery(model._default_manager.filter(pk=OuterRef(reference)).order_by().values(field))


@lru_cache(maxsize=MOST_REMEMBERED)
def card_html(facts: CardFacts) -> SafeString:
    """Return the card of the catalogue's template."""
    bot = Bot(
        name=facts.name,
        slug=facts.slug,
        tagline=facts.tagline,
        bot_type=facts.bot_type,
        price_per_month=facts.price_per_month,
        record=facts.record_text and json.loads(facts.record_text),
        trading_pairs=json.loads(facts.trading_pairs_text),
        timeframes=json.loads(facts.timeframes_text),
        category=Category(name=facts.category_name),
        developer=User(username=facts.developer_name),
    )
    shown = {"bot": bot, "version_number": facts.version_number}
    return SafeString(render_to_string("bots/catalogue.html#card", shown))
