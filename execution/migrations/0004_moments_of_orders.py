from django.apps.registry import Apps
from django.db import migrations
from django.db.models import OuterRef, Subquery


def fill_in(apps: Apps, _: object) -> None:
    """Each order so far was that of a cycle."""
    orders, cycles = apps.get_model("execution", "Order"), apps.get_model("execution", "Cycle")
    closed = cycles.objects.filter(pk=OuterRef("cycle")).values("candle_closed_at")
    orders.objects.filter(moment_at__isnull=True).update(moment_at=Subquery(closed))


class Migration(migrations.Migration):
    dependencies = [("execution", "0003_orders_that_survive")]

    operations = [migrations.RunPython(fill_in, migrations.RunPython.noop)]
