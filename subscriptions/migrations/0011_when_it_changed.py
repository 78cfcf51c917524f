import django.utils.timezone
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0010_changes_of_capital")]

    operations = [
        migrations.AddField(
            "subscription",
            "changed_at",
            models.DateTimeField(
                db_default=Now(),
                default=django.utils.timezone.now,
                help_text="when its state, settings or capital last changed",
            ),
        ),
    ]
