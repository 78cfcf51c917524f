from typing import Any

from django.db import migrations


def rename(apps: Any, _: object) -> None:
    """Let those who were in the demo's group keep their role, which has another name now."""
    groups = apps.get_model("auth", "Group").objects
    if not groups.filter(name="moderator").exists():
        groups.filter(name="moderators").update(name="moderator")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_superusers"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
