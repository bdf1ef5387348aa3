from __future__ import annotations

from django.conf import settings
from django.db import models

from contacts.clock import now
from contacts.models import Segment
from messaging.models import Template, Topic


class Journey(models.Model):
    """A graph of nodes with one entry.

    ``draft`` is what the builder edits: the journey file (SEMANTICS §2) as JSON. Publishing turns
    it into a Version with its Nodes and Edges, which never change again (V1).
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused"
        ARCHIVED = "archived", "Archived"

    slug = models.SlugField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    draft = models.JSONField(default=dict, blank=True)
    draft_revision = models.PositiveIntegerField(default=0, editable=False)
    draft_saved_at = models.DateTimeField(null=True, blank=True, editable=False)
    draft_saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    live_version = models.ForeignKey(
        "Version", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_before = models.BigIntegerField(
        default=0,
        editable=False,
        help_text="Refusals up to this id are older than the pause, and settled.",
    )
    dates_after = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Contacts with a greater id are still to be asked for their dates.",
    )

    class Meta:
        ordering = ["name"]
        permissions = [
            ("publish_journey", "Can publish, pause, resume and archive journeys"),
            ("enter_journey", "Can enter contacts by hand"),
        ]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """A published, immutable state of a journey; enrollments stay in the one they entered (V1).

    ``definition`` is the whole journey file, and the one source of what the version means; nodes,
    edges and the trigger columns are its index, for queries and for protection of what is in use.
    """

    class Trigger(models.TextChoices):
        EVENT = "event", "Event"
        SEGMENT = "segment", "Segment"
        DATE = "date", "Date"
        MANUAL = "manual", "By hand"

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    trigger_event = models.CharField(max_length=100, blank=True, default="")
    trigger_segment = models.ForeignKey(
        Segment, models.PROTECT, null=True, blank=True, related_name="+"
    )
    published_at = models.DateTimeField(default=now)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["journey", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["journey", "number"], name="version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.journey.name} v{self.number}"


class SavedDraft(models.Model):
    """What a journey's draft was after one sitting of one person, to be looked at and brought back.

    ``entry`` is the entry of the history that tells what the sitting changed; there is none for
    what the draft was before anything was kept, nor for what a command saved.
    """

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="saved_drafts")
    draft = models.JSONField()
    saved_at = models.DateTimeField(null=True)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    entry = models.ForeignKey(
        "admin.LogEntry", models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["journey", "-pk"]

    def __str__(self) -> str:
        return f"{self.journey.name}, {self.saved_at}"


class SegmentUse(models.Model):
    """That a version looks at a segment, so that the segment can't be deleted under it."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="segment_uses")
    segment = models.ForeignKey(Segment, models.PROTECT, related_name="uses")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "segment"], name="segment_use"),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} in {self.version_id}"


class TopicUse(models.Model):
    """That a version looks at a topic in a condition, so that it can't be deleted under it."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="topic_uses")
    topic = models.ForeignKey(Topic, models.PROTECT, related_name="uses")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "topic"], name="topic_use"),
        ]

    def __str__(self) -> str:
        return f"{self.topic_id} in {self.version_id}"


class Node(models.Model):
    """One station of a version; its kind decides what it does and which outcomes it has."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="nodes")
    key = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    config = models.JSONField(default=dict, blank=True)
    template = models.ForeignKey(
        Template, models.PROTECT, null=True, blank=True, related_name="nodes"
    )
    topic = models.ForeignKey(Topic, models.PROTECT, null=True, blank=True, related_name="nodes")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="node_key")]

    def __str__(self) -> str:
        return self.key


class Edge(models.Model):
    """From one outcome of a node to the next node."""

    source = models.ForeignKey(Node, models.CASCADE, related_name="edges")
    outcome = models.CharField(max_length=100)
    target = models.ForeignKey(Node, models.CASCADE, related_name="incoming")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "outcome"], name="one_edge_per_outcome")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.outcome} → {self.target_id}"
