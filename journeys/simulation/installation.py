"""What a simulation reads of the installation: what a file may refer to, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import connection

from contacts.models import Membership
from journeys import plans
from journeys.definition import Catalog
from messaging.models import Installation, Topic
from messaging.outbox import Cap


@dataclass(frozen=True)
class Installed:
    """Templates, topics and segments, who is in the static ones, the time zone and the cap."""

    catalog: Catalog = field(default_factory=Catalog)
    topics: Mapping[str, bool] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    timezone: str = Installation._meta.get_field("timezone").get_default()
    cap: Cap | None = None


def read() -> Installed:
    """The installation as it is now.

    Where its database has no tables yet there is nothing in it: a file that carries what it refers
    to can be simulated before anything is set up.
    """
    if Installation._meta.db_table not in connection.introspection.table_names():
        return Installed()
    installation = Installation.load()
    return Installed(
        catalog=plans.installed(),
        topics=dict(Topic.objects.values_list("slug", "subscribed_by_default")),
        members=_members(),
        timezone=installation.timezone,
        cap=Cap(*installation.cap) if installation.cap else None,
    )


def _members() -> dict[str, frozenset[str]]:
    """The external ids that are members of each static segment."""
    rows = Membership.objects.filter(
        left_at__isnull=True, segment__condition__isnull=True, contact__external_id__isnull=False
    )
    members: dict[str, set[str]] = {}
    for slug, external_id in rows.values_list("segment__slug", "contact__external_id"):
        members.setdefault(slug, set()).add(str(external_id))
    return {slug: frozenset(ids) for slug, ids in members.items()}
