"""The baseline of `bench/engine.py`: one RQ job for each person and step, as one would write it.

The same tables, the same journey, the same database; what differs is that each job moves one
person by one step, as most tools of this kind do.
"""

from __future__ import annotations

import uuid

import django_rq
from django.db import transaction
from django.utils import timezone

from contacts.models import Contact
from journeys.models import Edge, Enrollment, Node, Version, Visit
from messaging.models import Message


def enqueue(enrollment_id: int) -> None:
    """The next step of a person, as a job."""
    django_rq.get_queue("facts").enqueue(step, enrollment_id, result_ttl=0)


def enroll(contact_id: int, version_id: int) -> None:
    """The first job of a person."""
    version = Version.objects.get(pk=version_id)
    now = timezone.now()
    start = Node.objects.get(version=version, key=version.definition["start"])
    enrollment = Enrollment.objects.create(
        journey_id=version.journey_id,
        version=version,
        contact_id=contact_id,
        entered_at=now,
        node=start,
        arrived_at=now,
    )
    enqueue(enrollment.pk)


def step(enrollment_id: int) -> None:
    """Move one person by one node, and leave the next node to another job."""
    with transaction.atomic():
        enrollment = Enrollment.objects.select_for_update().get(pk=enrollment_id)
        node = Node.objects.get(pk=enrollment.node_id)
        contact = Contact.objects.get(pk=enrollment.contact_id)
        now = timezone.now()
        outcome = _run(enrollment, node, contact, now)
        enrollment.visits_count += 1
        Visit.objects.create(
            enrollment=enrollment,
            number=enrollment.visits_count,
            node=node,
            entered_at=now,
            left_at=now,
            outcome=outcome,
        )
        edge = Edge.objects.filter(source=node, outcome=outcome).first()
        if edge is None:
            enrollment.status, enrollment.ended_at = "completed", now
        else:
            enrollment.node_id = edge.target_id
        enrollment.save()
    if edge is not None:
        # The wait itself is not waited for, here as in what this is compared with.
        enqueue(enrollment_id)


def _run(enrollment: Enrollment, node: Node, contact: Contact, now: object) -> str:
    if node.kind == "send":
        Message.objects.create(
            uuid=uuid.uuid4(),
            contact=contact,
            template_id=node.template_id,
            enrollment=enrollment.pk,
            visit=enrollment.visits_count + 1,
            journey="bench",
            node=node.key,
            to=contact.email,
            queued_at=now,
        )
    if node.kind == "branch":
        return "pro" if contact.attributes.get("plan") == "pro" else "else"
    return "next"
