import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bots", "0012_records"),
        ("execution", "0013_revision_of_cycles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="backtest",
            name="requested_by",
            field=models.ForeignKey(
                blank=True,
                help_text="empty: the marketplace itself, for the bot's record",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="backtests",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.CreateModel(
            name="BotRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("BACKTEST", "Backtest by the marketplace"),
                            ("SUBSCRIBERS", "Results of subscribers"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "measured_at",
                    models.DateTimeField(blank=True, help_text="empty: it is being measured", null=True),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        default=0, help_text="that are in it; of several, the median"
                    ),
                ),
                (
                    "figures",
                    models.JSONField(
                        blank=True, default=dict, help_text="as execution.records has it for each kind"
                    ),
                ),
                (
                    "line",
                    models.JSONField(
                        blank=True, default=list, help_text="equity by days, thinned; quote, oldest first"
                    ),
                ),
                (
                    "backtest",
                    models.ForeignKey(
                        blank=True,
                        help_text="its source",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="execution.backtest",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="records",
                        to="bots.botversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("version", "kind"), name="one_record_of_each_kind")
                ],
            },
        ),
    ]
