"""Deleting that says why something stays, instead of naming rows that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin


class Explained(ModelAdmin):
    """A page on which what is in use is not deleted, alone or with others, and says by whom."""

    delete_confirmation_template = "contacts/admin/delete.html"
    delete_selected_confirmation_template = "contacts/admin/delete_selected.html"
    #: What belongs to them and goes with them, by its name in the model: counted and not listed,
    #: since there may be millions, and nobody knows one of them by name.
    goes_along: tuple[str, ...] = ()

    def kept_by(self, objs: Sequence[Any]) -> list[str]:
        """A line for each reason for which these stay; none where they may go."""
        return []

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What would go; nothing where there is a reason to keep one of them."""
        reasons = self.kept_by(list(objs))
        if reasons:
            return [], {}, set(), reasons
        if self.goes_along:
            return self._counted(list(objs)), self._counts(list(objs)), set(), []
        return super().get_deleted_objects(objs, request)

    def _counted(self, objs: Sequence[Any]) -> list[str]:
        return [f"{str(self.opts.verbose_name).capitalize()}: {obj}" for obj in objs]

    def _counts(self, objs: Sequence[Any]) -> dict[str, int]:
        found = {str(self.opts.verbose_name_plural): len(objs)}
        for name in self.goes_along:
            relation: Any = self.opts.get_field(name)
            rows = relation.related_model._default_manager
            count = rows.filter(**{f"{relation.field.name}__in": objs}).count()
            if count:
                found[str(relation.related_model._meta.verbose_name_plural)] = count
        return found
