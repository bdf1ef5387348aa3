"""What is judged in Python and what is judged in SQL is the same, on the database at hand."""

from __future__ import annotations

from typing import Any

import pytest

from contacts import conditions
from contacts.models import Contact
from tests.contacts.condition_cases import NOW, Chance, StoredView, populate


def disagreement(data: Any, views: list[StoredView]) -> str | None:
    """The contacts about whom the two sides differ, if any."""
    condition = conditions.parse(data)
    by_python = {view.contact.pk for view in views if condition.holds(view)}
    by_sql = set(Contact.objects.filter(condition.expression(NOW)).values_list("pk", flat=True))
    by_negation = set(
        Contact.objects.filter(conditions.negate(condition.expression(NOW))).values_list(
            "pk", flat=True
        )
    )
    everyone = {view.contact.pk for view in views}
    if by_python == by_sql and by_negation == everyone - by_sql:
        return None
    wrong = next(view.contact for view in views if view.contact.pk in by_python ^ by_sql)
    return f"{data} on {wrong.__dict__}: in Python {wrong.pk in by_python}"


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_python_and_sql_agree(seed: int) -> None:
    """C1 to C5 on both sides, on conditions and contacts by chance."""
    chance = Chance(seed)
    contacts, seen = populate(chance, 60)
    views = [StoredView(contact) for contact in contacts]
    for _ in range(250):
        data = chance.condition(seen)
        assert disagreement(data, views) is None
