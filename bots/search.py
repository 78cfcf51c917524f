"""Search among bots that forgives typing errors.

Each word has to be somewhere: about as it is written in the name, the tagline, or the developer's or the
category's name, which the share of its trigrams that are found there tells, or in any form of it in the
description. Each of these has an index, but for the few categories, so each is asked on its own.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector, TrigramWordSimilarity
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import FloatField, Func, IntegerField, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest

from accounts.models import User
from bots.models import SEARCH_LANGUAGE, Bot, BotQuerySet, Category

LEAST_ALIKE = 0.45  # so that a letter of five may be wrong; two that are swapped need a longer word
MOST_WORDS = 8
WEIGHTS = {"name": 1.0, "tagline": 0.6, "developer__username": 0.5}
DESCRIPTION_WEIGHT = 0.2  # also of what is found by the description or the category alone


def having(words: Sequence[str]) -> BotQuerySet:
    """Return the bots that have each of the words; `relevance` is higher the better they are met."""
    found = Bot.objects.all()
    relevance: Combinable = Value(0.0, FloatField())
    for word in words:
        found = found.filter(pk__in=_having(word))
        alike = [TrigramWordSimilarity(word, field) * weight for field, weight in WEIGHTS.items()]
        relevance = relevance + Greatest(*alike, Value(DESCRIPTION_WEIGHT), output_field=FloatField())
    return found.annotate(relevance=relevance)


def _having(word: str) -> QuerySet[Bot, Any]:
    bots = Bot.objects.order_by()
    query = SearchQuery(word, config=SEARCH_LANGUAGE)
    described = bots.alias(text=SearchVector("description", config=SEARCH_LANGUAGE)).filter(text=query)
    # "the" and the like are in no index, and say nothing
    meaningless = bots.alias(size=Func(query, function="numnode", output_field=IntegerField())).filter(size=0)
    people = User.objects.filter(username__trigram_word_similar=word)
    categories = Category.objects.order_by().filter(name__trigram_word_similar=word)
    found = bots.filter(name__trigram_word_similar=word).values("pk")
    return found.union(
        bots.filter(tagline__trigram_word_similar=word).values("pk"),
        bots.filter(developer__in=people).values("pk"),
        bots.filter(category__in=categories).values("pk"),
        described.values("pk"),
        meaningless.values("pk"),
    )


def _let_words_be_less_alike(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Set how much alike is alike enough, which PostgreSQL keeps with each connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('pg_trgm.word_similarity_threshold', %s, false)", [str(LEAST_ALIKE)]
        )


connection_created.connect(_let_words_be_less_alike)
