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

    def kept_by(self, objs: Sequence[Any]) -> list[str]:
        """A line for each reason for which these stay; none where they may go."""
        return []

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What would go; nothing where there is a reason to keep one of them."""
        reasons = self.kept_by(list(objs))
        if reasons:
            return [], {}, set(), reasons
        return super().get_deleted_objects(objs, request)
