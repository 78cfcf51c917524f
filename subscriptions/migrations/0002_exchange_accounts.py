import django.db.models.deletion
from django.db import migrations, models

import exchanges.fields


class Migration(migrations.Migration):
    dependencies = [
        ("exchanges", "0003_balances"),
        ("subscriptions", "0001_initial"),
    ]

    operations = [
        migrations.RemoveField(model_name="subscription", name="account"),  # it could only say PAPER
        migrations.AddField(
            model_name="subscription",
            name="account",
            field=models.ForeignKey(
                blank=True,
                help_text="where its orders go; empty: filled on paper, in a ledger of ours",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subscriptions",
                to="exchanges.exchangeaccount",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="sending_until",
            field=models.DateTimeField(
                blank=True,
                help_text="an order of it may be leaving until then; empty: none is",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="subscription",
            name="allocated_capital",
            field=exchanges.fields.AmountField(
                decimal_places=18,
                help_text="quote currency that it may use; its own, apart from others'",
                max_digits=38,
            ),
        ),
    ]
