from django.db import migrations

import exchanges.fields


class Migration(migrations.Migration):
    dependencies = [("execution", "0008_right_to_end_orders")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="stop_price",
            field=exchanges.fields.AmountField(
                blank=True,
                decimal_places=18,
                help_text="quote per base; there a stop order becomes the limit order",
                max_digits=38,
                null=True,
            ),
        ),
    ]
