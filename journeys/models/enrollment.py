from __future__ import annotations

from django.db import models

from contacts.models import Contact, Event
from journeys.models.journey import Journey, Node, Version

#: Why a passage ended, where the house says so and no exit of the journey.
REASONS = {
    "goal": "Goal reached",
    "exit_when": "Exit condition",
    "archived": "Journey archived",
    "taken_out": "Taken out by hand",
    "moved_out": "Taken out by a new version",
    "dropped": "Overdue at a resumption",
    "exit": "An exit",
    "merged": "Merged with another person",
    "loop": "A loop of changes",
    "error": "An error",
}


class Enrollment(models.Model):
    """One contact's passage through one version of one journey.

    ``resume_at`` is the wait itself: the row is the timer, Redis only a nudge (DESIGN §5). ``held``
    while the journey is paused. ``exclusive`` is what the re-entry rule makes unique: it stands
    for ever under ``once``, until the end under ``after_exit``, and is null under ``every_time``.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        WAITING = "waiting", "Waiting"
        COMPLETED = "completed", "Completed"
        EXITED = "exited", "Exited"
        FAILED = "failed", "Failed"

    OPEN = (Status.ACTIVE, Status.WAITING)

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="enrollments")
    version = models.ForeignKey(Version, models.PROTECT, related_name="enrollments")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="enrollments")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    reason = models.CharField(max_length=200, blank=True, default="")
    error = models.TextField(blank=True, default="")
    entered_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    event = models.ForeignKey(Event, models.SET_NULL, null=True, blank=True, related_name="+")
    entry_properties = models.JSONField(
        null=True, blank=True, help_text="Properties of the event that started it, if one did."
    )
    event_mark = models.BigIntegerField(
        default=0, help_text="Events with a greater id came after the entry (since: entry)."
    )
    key = models.CharField(max_length=200, blank=True, default="")
    local_date = models.DateField(null=True, blank=True)
    exclusive = models.CharField(max_length=210, null=True, blank=True)  # noqa: DJ001

    node = models.ForeignKey(Node, models.PROTECT, null=True, blank=True, related_name="+")
    visits_count = models.PositiveIntegerField(default=0)
    arrived_at = models.DateTimeField(null=True, blank=True, help_text="At the node it stands in.")
    wait_order = models.BigIntegerField(default=0)
    resume_at = models.DateTimeField(null=True, blank=True)
    resume_outcome = models.CharField(max_length=100, blank=True, default="")
    held = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["journey", "contact", "exclusive"], name="one_enrollment_per_reentry_rule"
            ),
            models.UniqueConstraint(
                fields=["journey", "contact", "local_date"], name="one_enrollment_per_local_date"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "waiting"], ended_at__isnull=True)
                | models.Q(
                    status__in=["completed", "exited", "failed"],
                    ended_at__isnull=False,
                    resume_at__isnull=True,
                ),
                name="ended_means_final",
            ),
        ]
        indexes = [
            models.Index(
                fields=["resume_at", "contact"],
                name="enrollment_due",
                condition=models.Q(status="waiting", held=False, resume_at__isnull=False),
            ),
            models.Index(
                fields=["contact"],
                name="enrollment_open",
                condition=models.Q(status__in=["active", "waiting"]),
            ),
            models.Index(
                fields=["node"],
                name="enrollment_at_node",
                condition=models.Q(status__in=["active", "waiting"]),
            ),
            models.Index(fields=["contact", "journey"], name="enrollment_of_contact"),
            models.Index(fields=["journey", "-entered_at"], name="enrollment_newest"),
            # With the reason, the totals of a journey are read from the index alone.
            models.Index(fields=["journey", "status", "reason"], name="enrollment_by_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.journey_id}"

    @property
    def reached_goal(self) -> bool:
        """Whether it ended because the goal was reached."""
        return self.status == self.Status.EXITED and self.reason == "goal"

    @property
    def standing(self) -> str:
        """The status as one reads it; a conversion is told from other exits."""
        return "Goal reached" if self.reached_goal else self.get_status_display()

    @property
    def why(self) -> str:
        """Why it ended, in a few words: those of an exit are its author's."""
        return REASONS.get(self.reason, self.reason)


class Visit(models.Model):
    """The record that an enrollment went through one node. Numbered from 1 without gaps."""

    enrollment = models.ForeignKey(Enrollment, models.CASCADE, related_name="visits")
    number = models.PositiveIntegerField()
    node = models.ForeignKey(Node, models.PROTECT, related_name="visits")
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "number"], name="one_visit_per_number")
        ]
        indexes = [models.Index(fields=["node", "entered_at"], name="visit_of_node")]

    def __str__(self) -> str:
        return f"{self.enrollment_id}/{self.number}"


class Refusal(models.Model):
    """That a trigger matched and the contact was not enrolled, with the reason (E1).

    ``retry_at`` is when the contact is asked in again, because whoever resumed the journey chose so
    for those it turned away while it was paused.
    """

    class Reason(models.TextChoices):
        NOT_LIVE = "not_live", "The journey was not live"
        REENTRY = "reentry", "The re-entry rule"
        TOO_MANY = "too_many", "100 open enrollments"
        FILTER = "filter", "The entry filter"
        GOAL = "goal", "The goal was reached already"

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="refusals")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="refusals")
    event = models.ForeignKey(Event, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=10, choices=Reason.choices)
    retry_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["retry_at"],
                name="refusal_retry",
                condition=models.Q(retry_at__isnull=False),
            ),
            models.Index(fields=["journey", "-at"], name="refusal_of_journey"),
            models.Index(fields=["contact", "-at"], name="refusal_of_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} not in {self.journey_id}: {self.reason}"


class DateEntry(models.Model):
    """When a date-triggered journey asks for a contact next, and when it asked last.

    ``due_at`` is recomputed with each change of the contact and null where nothing is to come.
    """

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="date_entries")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="date_entries")
    due_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    local_date = models.DateField(null=True, blank=True, help_text="The date that is due.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "contact"], name="one_date_entry")
        ]
        indexes = [
            models.Index(
                fields=["due_at", "contact"],
                name="date_entry_due",
                condition=models.Q(due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.journey_id} at {self.due_at}"


class WebhookCall(models.Model):
    """One HTTP request a webhook node asked for: a row first, an effect later."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENDING = "sending", "Being sent"
        OK = "ok", "Answered"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    enrollment = models.ForeignKey(Enrollment, models.CASCADE, related_name="webhook_calls")
    visit = models.PositiveIntegerField()
    method = models.CharField(max_length=10)
    url = models.TextField()
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveIntegerField(null=True, blank=True)
    response_body = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "visit"], name="one_webhook_per_visit")
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="webhook_due",
                condition=models.Q(status__in=["queued", "sending"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.url}"
