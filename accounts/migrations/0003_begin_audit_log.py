from django.db import migrations

from accounts import audit


def begin(*_: object) -> None:
    """Seal the head of the empty log: later, a log without one has lost it."""
    audit.begin()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_audit_log"),
    ]

    operations = [
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
