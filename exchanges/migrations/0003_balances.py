from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchanges", "0002_exchange_accounts")]

    operations = [
        migrations.AddField(
            model_name="exchangeaccount",
            name="balances",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="free and locked amount of each asset, as the exchange told last",
            ),
        ),
        migrations.AddField(
            model_name="exchangeaccount",
            name="balances_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
