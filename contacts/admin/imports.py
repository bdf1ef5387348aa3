"""An import in the admin: upload, columns, a dry run, progress, report, undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from contacts import entries, exporting, segments
from contacts.admin.deleting import Explained
from contacts.admin.filters import created_by
from contacts.imports import hooks, mapping, reading, report, running, undoing
from contacts.imports.mapping import Column
from contacts.imports.reading import Unreadable
from contacts.models import AttributeName, Import, RefusedRow, Segment

MAX_SIZE = 100 * 1024 * 1024
#: Rows of the file that are shown while the columns are mapped.
SHOWN = 5
STATUS = Import.Status
UNDOING = (STATUS.UNDOING, STATUS.UNDONE)


class UploadForm(forms.ModelForm):
    """Which file."""

    upload = forms.FileField(
        label="CSV file",
        help_text=(
            "As Excel, Numbers or another program saves it. The first row names the columns. Saving"
            " it only reads it: you map the columns and see a dry run before anybody is imported."
        ),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
    )

    class Meta:
        model = Import
        fields: list[str] = []

    def clean_upload(self) -> Any:
        """Not too large, and something that columns and rows can be read from."""
        file = self.cleaned_data["upload"]
        if file.size > MAX_SIZE:
            raise forms.ValidationError("The file is larger than 100 MB: cut it into parts.")
        try:
            how = reading.recognise(file.file)
            reading.columns(file.file, how)
            reading.must_have_rows(file.file, how)
        except Unreadable as error:
            raise forms.ValidationError(str(error)) from None
        return file


class OptionsForm(forms.ModelForm):
    """What is done with whom is known already, and with all."""

    new_segment = forms.CharField(
        label="Or to a new segment",
        help_text="What it is to be called.",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
    )
    enter_journey = forms.TypedChoiceField(
        label="Enter everybody into",
        help_text="A journey that starts by hand. Its entry rules decide who is let in.",
        required=False,
        coerce=int,
        empty_value=None,
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = (
        *("update_existing", "overwrite", "keep_unsubscribed", "tag"),
        *("segment", "new_segment", "start_journeys", "enter_journey"),
    )

    class Meta:
        model = Import
        fields = [
            "update_existing",
            "overwrite",
            "keep_unsubscribed",
            "tag",
            "segment",
            "start_journeys",
            "enter_journey",
        ]
        labels = {
            "update_existing": "Update people who are known already",
            "overwrite": "Where there is a value already",
            "tag": "Tag",
            "segment": "Add everybody to",
            "start_journeys": "Start journeys",
        }
        widgets = {
            "update_existing": UnfoldBooleanSwitchWidget(),
            "keep_unsubscribed": UnfoldBooleanSwitchWidget(),
            "start_journeys": UnfoldBooleanSwitchWidget(),
            "overwrite": UnfoldAdminSelectWidget(),
            "tag": UnfoldAdminTextInputWidget(),
            "segment": UnfoldAdminSelectWidget(),
        }

    def __init__(self, *args: Any, may_add_segments: bool, may_enter: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        journeys = [(entry.pk, entry.name) for entry in entries.by_hand()]
        if may_enter and journeys:
            self.fields["enter_journey"].choices = [("", "no journey"), *journeys]  # type: ignore[attr-defined]
        else:
            del self.fields["enter_journey"]
        chosen = self.fields["segment"]
        assert isinstance(chosen, forms.ModelChoiceField)
        chosen.queryset = Segment.static()
        chosen.empty_label = "no segment"
        if not may_add_segments:
            del self.fields["new_segment"]

    def clean_new_segment(self) -> str:
        """Two segments of one name could not be told apart in lists."""
        name: str = self.cleaned_data["new_segment"]
        if not name:
            return name
        if self.cleaned_data.get("segment"):
            raise forms.ValidationError("Choose a segment or name a new one, not both.")
        if known := Segment.objects.filter(name__iexact=name).first():
            raise forms.ValidationError(
                "There is a segment of that name: choose it above."
                if known.is_static
                else "A segment of that name has its members by a condition: take another name."
            )
        return name

    def save(self, commit: bool = True) -> Import:
        """Make the new segment, too."""
        if name := self.cleaned_data.get("new_segment"):
            self.instance.segment = segments.make(name)
        saved: Import = super().save(commit)
        return saved


@admin.register(Import)
class ImportAdmin(Explained):
    """People from files."""

    goes_along = ("refused_rows",)

    list_display = ["filename", "state", "done", "created", "updated", "refused", "created_at"]
    search_fields = ["filename", "tag"]
    list_filter = ["status"]
    form = UploadForm
    fields = ["upload"]

    @display(
        description="State",
        label={
            STATUS.DONE.label: "success",
            STATUS.FAILED.label: "danger",
            STATUS.RUNNING.label: "info",
            STATUS.CHECKING.label: "info",
            STATUS.PAUSED.label: "warning",
        },
    )
    def state(self, source: Import) -> str:
        """Where it stands."""
        return source.get_status_display()

    @display(description="Rows")
    def done(self, source: Import) -> str:
        """How far it got."""
        return f"{source.position:,} of {source.rows:,}" if source.rows else f"{source.position:,}"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may add imports may run them."""
        return self.has_add_permission(request)

    def kept_by(self, objs: Sequence[Import]) -> list[str]:
        """Nothing goes while somebody works on it."""
        busy = [source for source in objs if source.status in running.AT_WORK]
        return [f"{source} is being worked on. Pause it first." for source in busy]

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Import]) -> None:
        """Each with its file."""
        for source in queryset:
            source.delete()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while somebody works on it."""
        busy = obj is not None and obj.status in running.AT_WORK
        return not busy and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        """One page for each step."""
        name = "contacts_import"
        pages = {
            "columns": self.columns_view,
            "progress": self.progress_view,
            "do": self.do_view,
            "undo": self.undo_view,
            "refused": self.refused_view,
        }
        own = [
            path(f"<int:pk>/{step}/", self.admin_site.admin_view(view), name=f"{name}_{step}")
            for step, view in pages.items()
        ]
        return own + super().get_urls()

    # Upload

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The first step: there is but one way on."""
        extra = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**extra, **(extra_context or {})})

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Import:
        """Keep the file and recognise what is in it."""
        super().save_form(request, form, change)
        file = form.cleaned_data["upload"]
        return running.prepare(file.file, file.name, by=request.user)

    def save_model(self, request: HttpRequest, obj: Import, form: Any, change: bool) -> None:
        """Saved with its file already."""

    def response_add(
        self, request: HttpRequest, obj: Import, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to the columns."""
        return HttpResponseRedirect(page(obj, "columns"))

    # Columns

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say what each column is, with the first rows beside it."""
        source = self._source(request, pk)
        if source.status not in (STATUS.UPLOADED, STATUS.CHECKED):
            return HttpResponseRedirect(page(source, "change"))
        form = OptionsForm(
            request.POST or None,
            instance=source,
            may_add_segments=request.user.has_perm("contacts.add_segment"),
            may_enter=request.user.has_perm(entries.PERMISSION),
        )
        columns = [Column.from_json(item) for item in source.mapping]
        problems: list[str] = []
        if request.method == "POST":
            columns = chosen(source, request.POST)
            problems = mapping.problems(columns)
            if form.is_valid() and not problems:
                source.mapping = [column.as_json() for column in columns]
                form.save()
                running.check(source)
                return HttpResponseRedirect(page(source, "change"))
        rows = running.sample(source, SHOWN)
        context = {
            **self._context(request, source),
            "title": "What the columns are",
            "form": form,
            "problems": problems,
            "columns": [
                (index, column, [row.cells[index] for row in rows if index < len(row.cells)])
                for index, column in enumerate(columns)
            ],
            "targets": [
                (key, label)
                for key, label in mapping.TARGETS.items()
                if key != "topic" or hooks.topics is not None
            ],
            "types": mapping.TYPES,
            "keepable": mapping.KEEPABLE,
            "topics": hooks.topics.names() if hooks.topics else [],
            "known": AttributeName.objects.values_list("name", flat=True),
        }
        return TemplateResponse(request, "contacts/admin/import_columns.html", context)

    # Progress and report

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Where it stands, and what can be done now."""
        source = self.get_object(request, object_id)
        if source is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if source.status == STATUS.UPLOADED and self.has_add_permission(request):
            return HttpResponseRedirect(page(source, "columns"))
        context = self._standing(request, source.pk)
        return TemplateResponse(request, "contacts/admin/import.html", context)

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that moves while somebody works on it."""
        context = self._standing(request, pk)
        return TemplateResponse(request, "contacts/admin/import_standing.html", context)

    def do_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Run, pause, resume, check anew, undo."""
        source = self._source(request, pk)
        turns = {
            "check": running.check,
            "start": running.start,
            "pause": running.pause,
            "undo": running.undo,
        }
        turn = turns.get(request.POST.get("what", ""))
        if turn is not None and not turn(source):
            messages.warning(request, "The import has moved on meanwhile.")
        return HttpResponseRedirect(page(source, "change"))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, with who goes and who is changed, before anything is taken back."""
        source = self._source(request, pk)
        if not may(source)["undo"]:
            return HttpResponseRedirect(page(source, "change"))
        context = {
            **self._context(request, source),
            "title": "Undo an import",
            "expected": undoing.expected(source),
        }
        return TemplateResponse(request, "contacts/admin/import_undo.html", context)

    def refused_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The refused rows as a file."""
        source = self._source(request, pk)
        return exporting.response(report.refused_csv(source), f"refused-{source.pk}.csv")

    def _standing(self, request: HttpRequest, pk: int) -> dict[str, Any]:
        """For whoever may look; the buttons are for whoever may run it."""
        runs = self.has_add_permission(request)
        source = self._found(pk, runs or self.has_view_permission(request))
        return {
            **self._context(request, source),
            **standing(source),
            "runs": runs,
            "people": created_by(source) if request.user.has_perm("contacts.view_contact") else "",
            "may": may(source) if runs else {},
        }

    def _source(self, request: HttpRequest, pk: int) -> Import:
        """For whoever may run it."""
        return self._found(pk, self.has_add_permission(request))

    def _found(self, pk: int, allowed: bool) -> Import:
        if not allowed:
            raise PermissionDenied
        return get_object_or_404(Import.objects.select_related("segment", "created_by"), pk=pk)

    def _context(self, request: HttpRequest, source: Import) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": source,
            "source": source,
            "title": source.filename,
        }


def page(source: Import, step: str) -> str:
    """The address of a step."""
    return reverse(f"admin:contacts_import_{step}", args=[source.pk])


def chosen(source: Import, data: Any) -> list[Column]:
    """The columns as the form says they are."""
    columns = []
    for index, name in enumerate(source.columns):
        to = data.get(f"to-{index}", "skip")
        target = data.get(f"topic-{index}" if to == "topic" else f"name-{index}", "").strip()
        kind = data.get(f"type-{index}", "text")
        columns.append(
            Column(
                name,
                to if to in mapping.TARGETS else "skip",
                target if to in ("attribute", "topic") else "",
                kind if kind in mapping.TYPES else "text",
                to in mapping.KEEPABLE and f"keep-{index}" in data,
            )
        )
    return columns


def standing(source: Import) -> dict[str, Any]:
    """What the page of an import shows."""
    preview = source.preview
    checked = source.status in (STATUS.CHECKED, STATUS.CHECKING)
    position, rows = source.position, source.rows
    if checked:
        position = preview.get("position", preview.get("rows", 0))
    elif source.status in UNDOING:
        position, rows = running.taken_back(source), source.position
    counts = preview if checked else vars(source)
    words = {
        "created": "created",
        "updated": "updated",
        "unchanged": "unchanged",
        "refused": "refused",
    }
    return {
        "working": source.status in running.AT_WORK,
        "checked": checked,
        "paused": source.status == STATUS.PAUSED,
        "position": position,
        "rows": rows,
        "share": round(100 * position / rows) if rows else None,
        "counts": [(words[name], counts.get(name, 0)) for name in words],
        "shown": preview.get("shown", [])
        if checked
        else list(RefusedRow.objects.filter(source=source)[:20]),
        "reasons": preview.get("reasons", []) if checked else [],
        "mapped": [Column.from_json(item) for item in source.mapping],
        "targets": mapping.TARGETS,
        "undone": running.undone(source) if source.status in UNDOING else None,
    }


def may(source: Import) -> dict[str, bool]:
    """What can be done with it now."""
    return {
        "start": source.status == STATUS.CHECKED,
        "pause": source.status == STATUS.RUNNING,
        "resume": source.status in (STATUS.PAUSED, STATUS.FAILED),
        "undo": source.status in (STATUS.DONE, STATUS.PAUSED, STATUS.FAILED),
    }
