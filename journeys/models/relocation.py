from __future__ import annotations

from django.conf import settings
from django.db import models

from journeys.models.enrollment import Enrollment
from journeys.models.journey import Journey, Node, Version


class Relocation(models.Model):
    """That a publisher moves people who are on the way to another version (V1).

    ``choices`` leads from a node's key to what was chosen for those who stand there: ``{"how":
    "same" | "node" | "exit", "node": key}``. It is worked off in batches by the contacts' ids:
    ``position`` is the last one done. ``taken_back_at`` turns it round: batches then put back whom
    it moved, as far as they still stand where it put them.
    """

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="relocations")
    version = models.ForeignKey(Version, models.CASCADE, related_name="relocations")
    choices = models.JSONField()
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    position = models.BigIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    put_back = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    taken_back_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at"]
        indexes = [
            models.Index(
                fields=["made_at"],
                name="relocation_open",
                condition=models.Q(finished_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.journey.name} to {self.version.number}"


class Relocated(models.Model):
    """One enrollment that was moved: where it stood before, and how it was left.

    ``visits`` is the number of its visits after the move; where it has more by now, or has ended by
    itself, it has gone on and is not put back.
    """

    relocation = models.ForeignKey(Relocation, models.CASCADE, related_name="enrollments")
    enrollment = models.ForeignKey(Enrollment, models.CASCADE, related_name="relocated")
    version = models.ForeignKey(Version, models.CASCADE, related_name="+")
    node = models.ForeignKey(Node, models.CASCADE, related_name="+")
    status = models.CharField(max_length=10)
    arrived_at = models.DateTimeField(null=True, blank=True)
    resume_at = models.DateTimeField(null=True, blank=True)
    resume_outcome = models.CharField(max_length=100, blank=True, default="")
    exclusive = models.CharField(max_length=210, null=True, blank=True)  # noqa: DJ001
    how = models.CharField(max_length=10)
    visits = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["relocation", "enrollment"], name="relocated_once")
        ]

    def __str__(self) -> str:
        return f"{self.enrollment_id} from {self.node_id}"
