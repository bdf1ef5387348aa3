from typing import Any

from django.db import migrations


def count_anew(apps: Any, schema_editor: Any) -> None:
    """Indexes over lower-cased addresses were made by SQLite's own ``lower``, which knows ASCII."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("REINDEX")


class Migration(migrations.Migration):

    dependencies = [("contacts", "0005_privacy")]

    operations = [migrations.RunPython(count_anew, migrations.RunPython.noop)]
