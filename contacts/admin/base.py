"""What the admin's pages of this room share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

#: Rows that a list counts and leads to; behind them is the search.
MOST = 10_000


class AtLeast(int):
    """A number that is larger than what was counted."""

    def __str__(self) -> str:
        return f"more than {int(self) - 1:,}"


if TYPE_CHECKING:
    Pages = Paginator[Any]
else:
    Pages = Paginator  # it takes no parameter when it runs


class BoundedPaginator(Pages):
    """Pages of a table that may hold millions: it counts only as far as anybody turns pages."""

    @cached_property
    def count(self) -> int:
        """How many rows, or that there are more than ``MOST``."""
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        found = rows.order_by()[: MOST + 1].count() if rows.query.is_sliced is False else len(rows)
        return AtLeast(found) if found > MOST else found

    @cached_property
    def num_pages(self) -> int:
        """The number of the last page."""
        return max(1, -(-min(int(self.count), MOST) // self.per_page))


class LargeChangeList(ChangeList):
    """A list that is not counted as a whole: its head says a number only where rows were chosen."""

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page."""
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class LargeList(ModelAdmin):
    """A list that answers at once however long it is: no full counts, no sorting by any column."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    sortable_by: tuple[str, ...] = ()
    list_filter_submit = True
    #: What is searched, in a whole sentence; ``search_help_text`` is short enough for the field.
    search_title = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that belongs to it."""
        return LargeChangeList

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        """Back to the list, also of rows that nobody changes: Django leads from those home."""
        answer: HttpResponse = super().response_delete(request, obj_display, obj_id)
        if answer.status_code == 302 and self.has_view_permission(request):
            opts = self.opts
            way = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
            filters = {"preserved_filters": self.get_preserved_filters(request), "opts": opts}
            return HttpResponseRedirect(add_preserved_filters(filters, way))
        return answer


class AsStored(ModelAdmin):
    """A form that is headed by what is stored, also while what was typed is refused."""

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the name that the row has until it is saved."""
        typed = context.get("original")
        if typed is not None and context["errors"]:
            stored = type(typed)._default_manager.get(pk=typed.pk)
            context |= {"original": stored, "subtitle": str(stored)}
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response


class ReadOnly(ModelAdmin):
    """A page that shows and changes nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes these by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes them."""
        return False
