from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def know_no_removed_keys(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """Call accounts without keys what was known of them before: not checked."""
    accounts = apps.get_model("exchanges", "ExchangeAccount").objects
    accounts.filter(state="KEYS_REMOVED").update(state="UNCHECKED")


class Migration(migrations.Migration):
    dependencies = [
        ("exchanges", "0005_fingerprint_stored_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="exchangeaccount",
            name="checked_account_has_keys",
        ),
        migrations.AlterField(
            model_name="exchangeaccount",
            name="state",
            field=models.CharField(
                choices=[
                    ("UNCHECKED", "Being checked"),
                    ("ACTIVE", "Ready"),
                    ("REFUSED", "Refused"),
                    ("LOST_RIGHTS", "Lost its rights"),
                    ("KEYS_REMOVED", "Keys removed"),
                ],
                default="UNCHECKED",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="exchangeaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("environment", "PAPER"),
                    ("state__in", ["UNCHECKED", "KEYS_REMOVED"]),
                    models.Q(
                        models.Q(("key_id", ""), _negated=True), models.Q(("sealed", b""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="checked_account_has_keys",
            ),
        ),
        migrations.AddConstraint(
            model_name="exchangeaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "KEYS_REMOVED"), _negated=True),
                    models.Q(("key_fingerprint", ""), ("key_id", ""), ("sealed", b"")),
                    _connector="OR",
                ),
                name="removed_keys_are_gone",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, know_no_removed_keys),
    ]
