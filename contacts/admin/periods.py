"""The periods that pages offer, and the filter by one; numbers and the lists they lead to agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from contacts.clock import now

PERIODS: dict[str, tuple[str, timedelta | None]] = {
    "24h": ("last 24 hours", timedelta(hours=24)),
    "7d": ("last 7 days", timedelta(days=7)),
    "30d": ("last 30 days", timedelta(days=30)),
    "all": ("all time", None),
}
#: The parameter of an address that chooses one.
PARAMETER = "period"


def since(period: str | None, at: datetime) -> datetime | None:
    """When a period began that ends at ``at``; None where it has no beginning or is none."""
    length = PERIODS.get(period or "", ("", None))[1]
    return at - length if length else None


def chosen(request: HttpRequest) -> datetime | None:
    """When the period of a request's address began."""
    return since(request.GET.get(PARAMETER), now())


class PeriodFilter(admin.SimpleListFilter):
    """By the period in which something happened; a list says by which column."""

    title = "period"
    parameter_name = PARAMETER
    column: str

    @classmethod
    def on(cls, column: str) -> type[PeriodFilter]:
        """The filter by this column."""
        return type("PeriodFilter", (cls,), {"column": column})

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All periods but the whole of time."""
        return [(name, words) for name, (words, length) in PERIODS.items() if length]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the chosen one."""
        began = since(self.value(), now())
        return queryset.filter(**{f"{self.column}__gte": began}) if began else queryset
