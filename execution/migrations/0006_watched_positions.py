from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0005_moment_is_required")]

    operations = [
        migrations.AddField(
            model_name="position",
            name="watched_at",
            field=models.DateTimeField(
                blank=True, help_text="when its stops were last held against the price", null=True
            ),
        ),
    ]
