from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0011_search_alike"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="bot",
            name="record",
            field=models.JSONField(
                editable=False,
                help_text="what lists show of its newest version's record, as the app that measures it has it",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="bot",
            name="record_score",
            field=models.FloatField(
                editable=False,
                help_text="by which the best record comes first; empty: none or too short",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="bot",
            index=models.Index(
                models.OrderBy(models.F("record_score"), descending=True, nulls_last=True),
                models.F("name"),
                condition=models.Q(("state", "LISTED")),
                name="bots_by_record",
            ),
        ),
    ]
