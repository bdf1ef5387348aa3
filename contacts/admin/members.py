"""Putting people into static segments by hand, and taking them out: on a segment's page, from the
list of people, and from a person's page.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from contacts import lookup, segments
from contacts.clock import now
from contacts.models import Segment

#: The most people that are put in or taken out at once; more come by an import.
MOST = 5_000
#: Names that nobody has, of which a message speaks.
NAMED = 20


class MembersForm(forms.Form):
    """Who is meant, and whether journeys start by it."""

    people = forms.CharField(
        label="User ids or email addresses",
        help_text=f"One a line, at most {MOST:,}.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
    )
    start_journeys = forms.BooleanField(
        label="Start journeys",
        help_text="Whether who comes in enters the journeys that start by this segment.",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
    )

    def clean_people(self) -> lookup.Named:
        """Those who are meant; names that nobody has are kept, to be said."""
        named = lookup.named(self.cleaned_data["people"])
        if len(named.ids) + len(named.unknown) > MOST:
            raise forms.ValidationError(f"These are more than {MOST:,}: import them as a file.")
        if not named.ids:
            raise forms.ValidationError("Nobody has any of these ids or addresses.")
        return named


class ChosenForm(forms.Form):
    """Into or out of which segment those go who were chosen."""

    segment = forms.ModelChoiceField(
        Segment.static(),
        label="Segment",
        help_text="Those whose members are listed by hand or by import.",
        widget=UnfoldAdminSelectWidget(),
    )
    start_journeys = MembersForm.base_fields["start_journeys"]


def may_put_in(request: HttpRequest) -> bool:
    """Whether the reader may put people into segments."""
    return bool(request.user.has_perm("contacts.add_membership"))


def may_take_out(request: HttpRequest) -> bool:
    """Whether the reader may take people out of segments."""
    return bool(request.user.has_perm("contacts.delete_membership"))


def may_any(request: HttpRequest) -> bool:
    """Whether the reader may do either."""
    return may_put_in(request) or may_take_out(request)


def carry_out(
    request: HttpRequest, segment: Segment, ids: Collection[int], *, start_journeys: bool
) -> bool:
    """Do what the button that was pressed says, and tell how many it concerned; False where the
    reader may not.
    """
    if request.POST.get("what") == "out":
        if not may_take_out(request):
            return False
        gone = len(segments.remove(segment, ids, at=now()))
        said = _told(gone, "left", len(ids) - gone, "not in it")
    else:
        if not may_put_in(request):
            return False
        new = len(segments.add(segment, ids, at=now(), quiet=not start_journeys))
        said = _told(new, "came in", len(ids) - new, "in it already")
    messages.success(request, f"{segment.name}: {said}")
    return True


def _told(done: int, what: str, others: int, how: str) -> str:
    rest = f", {others:,} {'was' if others == 1 else 'were'} {how}" if others else ""
    return f"{done:,} {'person' if done == 1 else 'people'} {what}{rest}."


def tell_unknown(request: HttpRequest, unknown: Collection[str]) -> None:
    """Say which ids and addresses nobody has."""
    if unknown:
        first = list(unknown)[:NAMED]
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        messages.warning(request, f"Not known: {', '.join(first)}{more}.")


def buttons(request: HttpRequest) -> dict[str, Any]:
    """What the reader may do, for a page."""
    return {"may_put_in": may_put_in(request), "may_take_out": may_take_out(request)}
