"""The values that an attribute or a property is known to have, for pickers.

They come from a sample, in bounded time, however many contacts and events there are. A value that
could point at one person is not shown: neither what is named or looks like an address or a
number to reach somebody, nor what differs from contact to contact.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.db import OperationalError

from contacts import timezones
from contacts.conditions import OWN_FIELDS
from contacts.headcount import at_most
from contacts.models import Contact, Event
from contacts.values import get_path, is_number

#: Rows that are looked at: so many of the newest, and so many of all contacts at random.
ROWS = 1_000
SECONDS = 0.5
MOST = 100
MOST_NUMBERS = 20
MOST_DISTINCT = 300
LONGEST = 40
#: From so many values in the sample on, one that only a single row has is not shown.
MANY = 50

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_SENSITIVE = {
    *("email", "mail", "phone", "mobile", "tel", "telephone", "fax", "street", "iban", "card"),
    *("token", "secret", "password", "ssn", "birthday", "birthdate", "surname", "lastname"),
    *("firstname", "fullname", "username", "uuid", "ip"),
}
_OF_A_PERSON = {"first", "last", "full", "middle", "family", "given", "user", "name"}
#: Addresses, links, ids without meaning, and what is made of digits: phone numbers and dates.
_POINTS_AT_SOMEBODY = re.compile(
    r".*@.*|.*://.*|[0-9a-f-]{16,}|(?=.*\d)[A-Za-z0-9_-]{24,}|\+?[\d\s()./:TZ-]{6,}", re.DOTALL
)


def of_attribute(name: str) -> list[Any]:
    """Values of an attribute, the most frequent first; of ``timezone``, all that there are."""
    if name == "timezone":
        used = _offered(_sampled("timezone"))
        return [*used, *sorted(_timezones() - set(used))]
    if name in OWN_FIELDS or _is_sensitive(name):
        return []
    return _offered(get_path(attributes, name) for attributes in _sampled("attributes"))


def of_property(event: str, name: str) -> list[Any]:
    """Values of a property of the newest events of that name, the most frequent first."""
    if _is_sensitive(name):
        return []
    newest = Event.objects.filter(name=event).order_by("-occurred_at")
    rows = _in_time(newest.values_list("properties", flat=True)[:ROWS])
    return _offered(get_path(properties, name) for properties in rows)


@cache
def _timezones() -> frozenset[str]:
    return frozenset(name for name in timezones.names() if "/" in name or name == "UTC")


def _sampled(column: str) -> Iterator[Any]:
    newest = _in_time(Contact.objects.order_by("-pk").values_list("pk", column)[:ROWS])
    yield from (value for _, value in newest)
    if len(newest) == ROWS:
        # An import of yesterday must not hide what everybody else has.
        first = _in_time(Contact.objects.order_by("pk").values_list("pk", flat=True)[:1])
        earlier = range(first[0] if first else 1, newest[-1][0])
        chosen = random.Random(len(earlier)).sample(earlier, min(ROWS, len(earlier)))  # noqa: S311
        yield from _in_time(Contact.objects.filter(pk__in=chosen).values_list(column, flat=True))


def _in_time(rows: Iterable[Any]) -> list[Any]:
    """The rows of a query; none where it takes too long."""
    try:
        with at_most(SECONDS):
            return list(rows)
    except OperationalError:
        return []


def _is_sensitive(name: str) -> bool:
    words = {word.lower() for word in _WORDS.findall(name.rsplit(".", 1)[-1])}
    return bool(words & _SENSITIVE) or ("name" in words and words <= _OF_A_PERSON)


def _offered(found: Iterable[Any]) -> list[Any]:
    """The values worth offering: texts and numbers that many rows share."""
    seen = [item for value in found for item in (value if isinstance(value, list) else [value])]
    texts = _shared([item for item in seen if isinstance(item, str) and item.strip()])
    numbers = _shared([item for item in seen if is_number(item)])
    few = len(numbers) <= MOST_NUMBERS
    return [
        *[text for text in texts if _is_harmless(text)][:MOST],
        *(sorted(numbers) if few else []),
    ]


def _shared(values: list[Any]) -> list[Any]:
    counts = Counter(values)
    if len(counts) > min(MOST_DISTINCT, max(5, len(values) // 4)):
        return []
    least = 2 if len(values) >= MANY else 1
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [value for value, number in ranked if number >= least]


def _is_harmless(text: str) -> bool:
    return len(text) <= LONGEST and not _POINTS_AT_SOMEBODY.fullmatch(text)
