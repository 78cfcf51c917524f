"""What triggers keep: each bot's newest published version, and how many bots each category lists."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connections
from django.utils import timezone

from bots import publishing
from bots.models import Bot, BotVersion, Category
from tests.factories import BUYING_BOT, make_bot

pytestmark = pytest.mark.django_db
State = BotVersion.State


def make_version(bot: Bot, number: str) -> BotVersion:
    return publishing.publish_version(bot=bot, number=number, code=BUYING_BOT)


def newest(bot: Bot) -> str | None:
    found = Bot.objects.select_related("newest_published").get(pk=bot.pk).newest_published
    return None if found is None else found.number


def counted(category: Category) -> int:
    return Category.objects.get(pk=category.pk).listed_count


@pytest.mark.parametrize("state", [state for state in State if state != State.PUBLISHED])
def test_only_published_versions_are_offered(state: BotVersion.State) -> None:
    bot = make_bot()
    second = make_version(bot, "v1.1.0")

    assert newest(bot) == "v1.1.0"
    BotVersion.objects.filter(pk=second.pk).update(state=state)
    assert newest(bot) == "v1.0.0"
    bot.versions.update(state=state)
    assert newest(bot) is None
    BotVersion.objects.filter(pk=second.pk).update(state=State.PUBLISHED)
    assert newest(bot) == "v1.1.0"


def test_what_is_newest_follows_deletion_and_dates() -> None:
    bot = make_bot()
    second = make_version(bot, "v1.1.0")

    bot.versions.filter(number="v1.0.0").update(created_at=timezone.now() + timedelta(days=1))
    assert newest(bot) == "v1.0.0"
    bot.versions.filter(number="v1.0.0").delete()
    assert newest(bot) == "v1.1.0"
    second.delete()
    assert newest(bot) is None


def test_nobody_else_can_write_it() -> None:
    bot = make_bot()
    old = Bot.objects.get(pk=bot.pk)
    make_version(bot, "v1.1.0")

    old.save()
    Bot.objects.update(newest_published=None)
    Category.objects.update(listed_count=7)

    assert newest(bot) == "v1.1.0"
    assert counted(bot.category) == 1


@pytest.mark.parametrize(
    "ends",
    [
        lambda bot: Bot.objects.filter(pk=bot.pk).update(state=Bot.State.SUSPENDED),
        lambda bot: bot.versions.update(state=State.RETIRED),
        lambda bot: bot.versions.all().delete(),
        lambda bot: (bot.versions.all().delete(), bot.delete()),
    ],
)
def test_a_category_counts_what_is_listed_in_it(ends: Callable[[Bot], object]) -> None:
    bot, other = make_bot(), make_bot()
    elsewhere = Category.objects.create(name="Elsewhere", slug="elsewhere")
    before = counted(bot.category)

    Bot.objects.filter(pk=other.pk).update(category=elsewhere)
    assert (counted(bot.category), counted(elsewhere)) == (before - 1, 1)
    ends(bot)
    assert (counted(bot.category), counted(elsewhere)) == (before - 2, 1)


@pytest.mark.django_db(transaction=True)
def test_versions_that_change_at_once_leave_the_newest_that_is_left() -> None:
    bot = make_bot()
    for minor in range(1, 6):
        make_version(bot, f"v1.{minor}.0")

    def work(version: BotVersion) -> None:
        publishing.retire(version=version)
        connections.close_all()

    leaving = bot.versions.exclude(number="v1.0.0")
    workers = [Thread(target=work, args=[version]) for version in leaving]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert newest(bot) == "v1.0.0"
