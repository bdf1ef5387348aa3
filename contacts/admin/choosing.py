"""A field in which a person is chosen, found as one types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect

from contacts.admin.filters import number
from contacts.models import Event


class PersonWidget(AutocompleteSelect):
    """A person by address or user id."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(Event._meta.get_field("contact"), admin.site, attrs=attrs)

    def build_attrs(
        self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """As the theme draws such a field."""
        attrs: dict[str, Any] = super().build_attrs(base_attrs, extra_attrs)
        attrs["class"] = f"{attrs.get('class', '')} unfold-admin-autocomplete"
        return attrs

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> list[Any]:
        """Who is chosen; what an address or a form sent that is no row's number chooses nobody."""
        chosen = [each for each in value if number(str(each))]
        groups: list[Any] = super().optgroups(name, chosen, attr)
        return groups
