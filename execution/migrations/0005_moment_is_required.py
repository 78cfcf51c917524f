from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0004_moments_of_orders")]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="moment_at",
            field=models.DateTimeField(help_text="the candle's close, or the minute, that it was placed for"),
        ),
        migrations.AlterField(
            model_name="order",
            name="payload",
            field=models.CharField(blank=True, help_text="sha256 of what is sent", max_length=64),
        ),
    ]
