import django.utils.timezone
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def count_from_the_beginning(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Give what was there before the oldest moment that is known of it, not that of the migration."""
    apps.get_model("subscriptions", "Subscription").objects.update(changed_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0010_changes_of_capital")]

    operations = [
        migrations.AddField(
            "subscription",
            "changed_at",
            models.DateTimeField(
                default=django.utils.timezone.now,
                help_text="when its state, settings or capital last changed",
            ),
        ),
        migrations.RunPython(count_from_the_beginning, migrations.RunPython.noop),
    ]
