from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0014_deleted_bots_and_removed_files"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="bot",
            index=models.Index(
                condition=models.Q(("state", "LISTED")),
                fields=["category", "id"],
                name="listed_bots_by_category",
            ),
        ),
    ]
