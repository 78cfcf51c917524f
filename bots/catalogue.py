"""Which bots the catalogue lists, and in which order."""

from functools import cache
from typing import Any, NamedTuple

from django.core.cache import caches
from django.db.models import F, Q

from accounts.moment import KEPT_SECONDS
from bots.listings import Statement
from bots.models import BotQuerySet, Category
from bots.search import having

BEST_RECORD = F("record_score").desc(nulls_last=True)
ORDERS = {
    "": ("-relevance", BEST_RECORD, "name"),
    "record": (BEST_RECORD, "name"),
    "name": ("name",),
    "newest": ("-newest_published__published_at", "name"),
    "price": ("price_per_month", "name"),
    "-price": ("-price_per_month", "name"),
}


type Asked = tuple[tuple[str, Any], ...]  # each field of a CatalogueForm with what it was cleaned to


class ListedCategory(NamedTuple):
    """A category in the catalogue, with the number of bots that are listed in it."""

    slug: str
    name: str
    description: str
    bot_count: int


def listed(everything_asked: Asked) -> BotQuerySet:
    """Return the published bots that are asked for.

    A bot that names no pair or no timeframe is made for any.
    """
    asked = dict(everything_asked)
    bots = having(asked["q"]).published()
    chosen = {
        "category__slug": asked["category"],
        "bot_type": asked["type"],
        "price_per_month__gte": asked["price_from"],
        "price_per_month__lte": asked["price_to"],
        "days_on_paper__gte": asked["days"],
        "worst_drawdown_percent__lte": asked["drawdown"],
    }
    bots = bots.filter(**{name: value for name, value in chosen.items() if value not in ("", None)})
    for field, value in (("trading_pairs", asked["pair"]), ("timeframes", asked["timeframe"])):
        if value:
            bots = bots.filter(Q((f"{field}__contains", [value])) | Q((field, [])))
    if asked["exchange"]:
        bots = bots.filter(exchanges__contains=[asked["exchange"]])
    order = asked["sort"] or ("" if asked["q"] else "record")
    return bots.order_by(*ORDERS[order])


def categories_with_bots() -> tuple[ListedCategory, ...]:
    """Return the categories that anything is listed in, by name; kept for a moment."""
    kept: tuple[ListedCategory, ...] | None = caches["pages"].get("categories")
    if kept is None:
        kept = tuple(ListedCategory(*row) for row in _categories().rows())
        caches["pages"].set("categories", kept, KEPT_SECONDS)
    return kept


@cache
def _categories() -> Statement:
    used = Category.objects.filter(listed_count__gt=0).order_by("name")
    return Statement.of(used.values_list("slug", "name", "description", "listed_count"))


def with_version(bots: BotQuerySet) -> BotQuerySet:
    """Return them with developer, category, and the number and time of the version that is offered."""
    return bots.select_related("developer", "category").annotate(
        version_number=F("newest_published__number"),
        version_published_at=F("newest_published__published_at"),
    )
