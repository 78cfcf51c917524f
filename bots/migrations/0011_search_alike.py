from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import TrigramExtension
from django.contrib.postgres.search import SearchVector
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0010_state_before_quarantine"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.AddIndex(
            model_name="bot",
            index=GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="bots_by_name_alike"),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=GinIndex(fields=["tagline"], opclasses=["gin_trgm_ops"], name="bots_by_tagline_alike"),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=GinIndex(SearchVector("description", config="english"), name="bots_by_description"),
        ),
        # people are searched by name for their bots alone, so their own app knows nothing of it
        migrations.RunSQL(
            "CREATE INDEX bots_by_developer_alike ON accounts_user USING gin (username gin_trgm_ops)",
            "DROP INDEX bots_by_developer_alike",
        ),
    ]
