from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("exchanges", "0003_balances")]

    operations = [
        migrations.AddField(
            model_name="exchangeaccount",
            name="key_fingerprint",
            field=models.CharField(
                blank=True, help_text="by what the vault knows the same key again", max_length=64
            ),
        ),
        migrations.AddConstraint(
            model_name="exchangeaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key_fingerprint", ""), _negated=True),
                fields=("key_fingerprint",),
                name="one_exchange_account_per_key",
            ),
        ),
    ]
