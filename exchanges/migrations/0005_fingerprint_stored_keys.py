"""Have the keys that are stored already known again. Of those that are here twice, the first is."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from exchanges import vault


def fingerprint(apps: Apps, _schema_editor: BaseDatabaseSchemaEditor) -> None:
    accounts = apps.get_model("exchanges", "ExchangeAccount").objects
    for account in accounts.exclude(key_id="").filter(key_fingerprint="").order_by("pk"):
        try:
            vault.reseal(account)
        except vault.VaultError:  # of no use until its owner enters other keys
            continue
        if not accounts.filter(key_fingerprint=account.key_fingerprint).exists():
            accounts.filter(pk=account.pk).update(key_fingerprint=account.key_fingerprint)


class Migration(migrations.Migration):
    dependencies = [("exchanges", "0004_key_fingerprint")]

    operations = [migrations.RunPython(fingerprint, migrations.RunPython.noop)]
