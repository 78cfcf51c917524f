"""Names that were there before look-alikes were refused: the first to come keeps its skeleton."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F

from bots.names import skeleton


def fill(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    bots, versions = apps.get_model("bots", "Bot"), apps.get_model("bots", "BotVersion")
    for bot in bots.objects.filter(name_skeleton=None).order_by("created_at", "pk"):
        looks = skeleton(bot.name)
        if looks and not bots.objects.filter(name_skeleton=looks).exists():
            bots.objects.filter(pk=bot.pk).update(name_skeleton=looks)
    published = versions.objects.exclude(state="DRAFT").filter(published_at=None)
    published.update(published_at=F("created_at"), submitted_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("bots", "0005_publishing")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
