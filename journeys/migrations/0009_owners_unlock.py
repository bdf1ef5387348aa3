from importlib import import_module

from django.db import migrations

#: Failed sign-ins: by deleting one, somebody who is locked out is let in again.
ROOMS = {"axes": {"accessattempt": "vd"}}


def let_owners_unlock(apps, schema_editor):
    """Owners see failed sign-ins and delete them; a group that was deleted or renamed stays so."""
    permissions = import_module("journeys.migrations.0004_groups").permissions
    for group in apps.get_model("auth", "Group").objects.filter(name="Owner"):
        group.permissions.add(*permissions(apps, ROOMS))


class Migration(migrations.Migration):

    dependencies = [
        ("journeys", "0008_refused_before"),
        ("axes", "0001_initial"),
    ]

    operations = [migrations.RunPython(let_owners_unlock, migrations.RunPython.noop)]
