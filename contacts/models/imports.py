from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models

from contacts.clock import now
from contacts.models.segment import Segment


def upload_path(instance: Import, filename: str) -> str:
    """A random name: what the uploader calls the file is never part of a path."""
    return f"imports/{secrets.token_hex(16)}.csv"


class Import(models.Model):
    """A file of contacts on its way in: what it is, how it is to be read, and how far it got.

    ``position`` is the number of rows that are committed, written in the same transaction as the
    contacts they made, so that a kill at any row neither loses nor repeats one. ``mapping`` has an
    entry for each column: ``{"to": …, "name": …, "type": …}``, see ``contacts.imports.mapping``.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded", "Waiting for its columns"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked, ready to run"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"

    class Overwrite(models.TextChoices):
        ALL = "all", "Overwrite what is there"
        EMPTY = "empty", "Fill in only what is empty"

    file = models.FileField(upload_to=upload_path, blank=True)
    filename = models.CharField("file", max_length=255)
    size = models.BigIntegerField(default=0, editable=False)
    encoding = models.CharField(max_length=20, blank=True, default="", editable=False)
    delimiter = models.CharField(max_length=1, blank=True, default="", editable=False)
    columns = models.JSONField(default=list, blank=True, editable=False)
    mapping = models.JSONField(default=list, blank=True, editable=False)

    update_existing = models.BooleanField(
        default=True, help_text="Otherwise people who are known already are left as they are."
    )
    overwrite = models.CharField(max_length=10, choices=Overwrite.choices, default=Overwrite.ALL)
    keep_unsubscribed = models.BooleanField(
        "never subscribe anew who has unsubscribed",
        default=True,
        help_text="Addresses that are suppressed stay so in any case.",
    )
    tag = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Is kept in the attribute “imports” of everybody in the file.",
    )
    segment = models.ForeignKey(
        Segment,
        models.SET_NULL,
        null=True,
        blank=True,
        help_text="A static segment that everybody in the file is added to.",
    )
    start_journeys = models.BooleanField(
        "may start journeys",
        default=False,
        help_text="Whether who becomes a member of a segment by this import enters its journeys.",
    )

    enter_journey = models.BigIntegerField(
        null=True, blank=True, help_text="A journey that starts by hand; its entry rules decide."
    )

    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.UPLOADED, editable=False
    )
    error = models.TextField(blank=True, default="", editable=False)
    position = models.BigIntegerField(default=0, editable=False)
    rows = models.BigIntegerField(null=True, editable=False)
    created = models.BigIntegerField(default=0, editable=False)
    updated = models.BigIntegerField(default=0, editable=False)
    unchanged = models.BigIntegerField(default=0, editable=False)
    refused = models.BigIntegerField(default=0, editable=False)
    preview = models.JSONField(default=dict, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.filename

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the file with the row."""
        self.file.delete(save=False)
        return super().delete(*args, **kwargs)


class RefusedRow(models.Model):
    """A row that was not taken in, with the reason and what it said."""

    source = models.ForeignKey(Import, models.CASCADE, related_name="refused_rows")
    row = models.BigIntegerField()
    line = models.BigIntegerField()
    reason = models.TextField()
    cells = models.JSONField(default=list)

    class Meta:
        ordering = ["row"]
        constraints = [
            models.UniqueConstraint(fields=["source", "row"], name="one_refusal_per_row")
        ]

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"


class ImportChunk(models.Model):
    """What one transaction of an import did, so that it can be undone.

    ``created`` lists the contacts it made; ``changed`` leads from a contact's id to the difference
    as ``Fact.payload`` keeps it; ``entered`` lists those who became members of the segment.
    """

    source = models.ForeignKey(Import, models.CASCADE, related_name="chunks")
    position = models.BigIntegerField()
    created = models.JSONField(default=list)
    changed = models.JSONField(default=dict)
    entered = models.JSONField(default=list)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["source", "position"], name="one_chunk_per_position")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} from {self.position}"
