"""The beginning of an address is found by index on PostgreSQL too, whatever its collation."""

from django.db import migrations

INDEX = "contact_email_prefix"


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"CREATE INDEX {INDEX} ON contacts_contact (lower(email) text_pattern_ops)"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX {INDEX}")


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_alter_merge_external_id_import_importchunk_and_more"),
    ]

    operations = [migrations.RunPython(make, drop)]
