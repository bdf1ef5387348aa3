"""Backtests in the admin: a draft's period is chosen, its replay is watched, its result is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format

from contacts.clock import now
from contacts.models import Contact
from contacts.problems import Invalid, Problem
from contacts.values import parse_moment
from journeys import backtest, publishing
from journeys.admin import maps
from journeys.admin.builder import find
from journeys.calendar import instant, shifted, zone
from journeys.models import Backtest, Journey, Refusal
from journeys.naming import names_in
from journeys.picture import Card, card_of, draw, read_nodes
from journeys.world import EPOCH
from messaging.models import Installation

#: The longest period that is replayed at once.
LONGEST = timedelta(days=366)
#: The periods that are offered, in days.
OFFERED = (7, 30, 90, 365)
SKIPPED = {
    "no_address": "No email address",
    "suppressed": "The address is suppressed",
    "unsubscribed": "Unsubscribed",
    "capped": "The cap on mails was reached",
}
ENDED = {
    "completed": "Came to the end",
    "goal": "Reached the goal",
    "exit_when": "Left by the exit condition",
    "loop": "Failed: a loop of changes",
    "exit": "Left at an exit",
}


class PeriodForm(forms.Form):
    """The period, in days of the installation's time zone; both are included."""

    first = forms.DateField(label="From", error_messages={"invalid": "Choose a date."})
    last = forms.DateField(label="Until", error_messages={"invalid": "Choose a date."})

    def __init__(self, *args: Any, where: tzinfo, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.where, self.at = where, at

    def clean(self) -> dict[str, Any]:
        """From the first instant of the first day to the last of the last, or to now."""
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first is None or last is None:
            return data
        start = instant(first, time(), self.where) or EPOCH
        following = shifted(last, 1)
        end = instant(following, time(), self.where) if following else None
        if last < first:
            self.add_error("last", "The period must end after it begins.")
        elif last - first >= LONGEST:
            self.add_error("last", "A period may be 366 days long.")
        elif start >= self.at:
            self.add_error("first", "The period must begin in the past.")
        else:
            before = end - timedelta(microseconds=1) if end else self.at
            data["start"], data["until"] = start, min(before, self.at)
        return data


@dataclass(frozen=True)
class Row:
    """One number for the draft and for the live version; ``live`` is None without one."""

    label: str
    draft: int
    live: int | None = None

    @property
    def change(self) -> str:
        """``+12``, ``−3`` or ``±0``: what the draft makes of it."""
        if self.live is None:
            return ""
        more = self.draft - self.live
        return f"+{more:,}" if more > 0 else f"−{-more:,}" if more else "±0"

    @property
    def direction(self) -> str:
        """``more``, ``less`` or ``same``."""
        if self.live is None or self.draft == self.live:
            return "same"
        return "more" if self.draft > self.live else "less"


class Backtests:
    """The pages, for one ModelAdmin."""

    def __init__(self, model_admin: Any) -> None:
        self.admin = model_admin

    def urls(self) -> list[URLPattern]:
        """Their addresses, beneath the journey's own."""
        wrap = self.admin.admin_site.admin_view
        name = "journeys_journey_backtest"
        one = "<int:pk>/backtest/<int:number>/"
        return [
            path("<int:pk>/backtest/", wrap(self.choose), name=name),
            path(one, wrap(self.show), name=f"{name}_result"),
            path(f"{one}standing/", wrap(self.standing), name=f"{name}_standing"),
            path(f"{one}cancel/", wrap(self.cancel), name=f"{name}_cancel"),
        ]

    # --- choosing a period ---

    def choose(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The period, and the backtests of before; begun by a POST."""
        journey = find(self.admin, request, pk, "change")
        at = now()
        where = zone(Installation.load().timezone)
        today = at.astimezone(where).date()
        form = PeriodForm(
            request.POST or None,
            where=where,
            at=at,
            initial={"first": today - timedelta(days=29), "last": today},
        )
        open_one = Backtest.objects.filter(journey=journey, status__in=Backtest.OPEN).first()
        problems = list(publishing.problems(journey).errors)
        if request.method == "POST":
            if open_one is not None:
                messages.info(request, "A backtest of this journey is under way already.")
                return self._to(open_one)
            if form.is_valid():
                try:
                    return self._to(self._start(request, journey, form, at))
                except Invalid as invalid:
                    problems = list(invalid.problems.errors)
        rows = Backtest.objects.filter(journey=journey).defer("draft", "result")
        rows = rows.select_related("made_by", "version")
        context = {
            "form": form,
            "open_one": open_one,
            "problems": [_placed(one, read_nodes(journey.draft)) for one in problems],
            "quick": [
                (
                    "Last year" if days == 365 else f"Last {days} days",
                    (today - timedelta(days=days - 1)).isoformat(),
                    today.isoformat(),
                )
                for days in OFFERED
            ],
            "today": today.isoformat(),
            "zone": str(where),
            "backtests": [(one, period(one, where)) for one in rows],
        }
        return self._page(request, "backtest_choose", journey, f"Backtest {journey.name}", context)

    @staticmethod
    def _start(request: HttpRequest, journey: Journey, form: PeriodForm, at: datetime) -> Backtest:
        period = form.cleaned_data
        by: Any = request.user
        return backtest.start(journey, period["start"], period["until"], by=by, at=at)

    # --- one backtest ---

    def show(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """How far it is, and then what came of it."""
        journey, one = self._find(request, pk, number)
        context = {**_standing(one), **self._result(request, one)}
        return self._page(request, "backtest", journey, f"Backtest of {journey.name}", context)

    def standing(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """The part of the page that moves; once it has ended, the page is loaded anew."""
        journey, one = self._find(request, pk, number)
        context = {"journey": journey, **_standing(one)}
        response = TemplateResponse(request, "journeys/backtest_standing.html", context)
        if not one.is_open:
            response["HX-Refresh"] = "true"
        return response

    def cancel(self, request: HttpRequest, pk: int, number: int) -> HttpResponse:
        """Stop it."""
        _, one = self._find(request, pk, number)
        if request.method != "POST":
            raise Http404
        if not backtest.cancel(one, at=now()):
            messages.info(request, "The backtest has ended meanwhile.")
        return self._to(one)

    def _find(self, request: HttpRequest, pk: int, number: int) -> tuple[Journey, Backtest]:
        journey = find(self.admin, request, pk, "change")
        rows = Backtest.objects.select_related("version", "made_by")
        one = rows.filter(journey=journey, pk=number).first()
        if one is None:
            raise Http404
        return journey, one

    @staticmethod
    def _to(one: Backtest) -> HttpResponseRedirect:
        name = "admin:journeys_journey_backtest_result"
        return HttpResponseRedirect(reverse(name, args=[one.journey_id, one.pk]))

    def _page(
        self, request: HttpRequest, template: str, journey: Journey, title: str, context: Any
    ) -> HttpResponse:
        shared = {
            **self.admin.admin_site.each_context(request),
            "opts": self.admin.opts,
            "original": journey,
            "journey": journey,
            "media": self.admin.media,
            "title": title,
        }
        return TemplateResponse(request, f"journeys/{template}.html", {**shared, **context})

    def _result(self, request: HttpRequest, one: Backtest) -> dict[str, Any]:
        if one.status != Backtest.Status.DONE or not one.result:
            return {}
        draft, live = one.result["draft"], one.result.get("live")
        live_file = one.version.definition if one.version else None
        names = names_in(one.draft, live_file)
        cards, gone = read_nodes(one.draft, names), read_nodes(live_file, names)
        cards |= {key: card for key, card in gone.items() if key not in cards}
        where = zone(Installation.load().timezone)
        days = days_of(one, where)
        return {
            "draft": draft,
            "live": live,
            "zone": str(where),
            "sums": sums(draft, live, has_goal=_has_goal(one.draft, live_file)),
            "only": only(one.result),
            "steps": steps(cards, draft, live),
            "gone": set(gone) - set(read_nodes(one.draft)),
            "ended": compared(draft["ended"], live and live["ended"], ended_words),
            "skipped": compared(draft["skipped"], live and live["skipped"], skipped_words),
            "refused": compared(draft["refused"], live and live["refused"], refused_words),
            "people": people(draft["first"], self._may_see(request)),
            "picture": maps.make(draw(one.draft, numbers=True, names=names)),
            "numbers": {"entered": draft["entered"], "nodes": on_cards(draft)},
            "chart": chart(cards, days, draft, live),
        }

    @staticmethod
    def _may_see(request: HttpRequest) -> bool:
        return request.user.has_perm("contacts.view_contact")


def _standing(one: Backtest) -> dict[str, Any]:
    where = zone(Installation.load().timezone)
    return {"backtest": one, "share": share(one), "period": period(one, where)}


def period(one: Backtest, where: tzinfo) -> str:
    """``1 Mar 2026 to 31 Mar 2026``, in the days of the installation."""
    moments = (one.period_from, one.period_until)
    return " to ".join(date_format(at.astimezone(where).date(), "j M Y") for at in moments)


def share(one: Backtest) -> int | None:
    """How much is done, in percent; None where that is not known yet."""
    return round(100 * one.done / one.total) if one.total else None


# --- what the result says ---


def _has_goal(*files: Any) -> bool:
    return any(file.get("goal") is not None for file in files if isinstance(file, dict))


def sums(draft: dict[str, Any], live: dict[str, Any] | None, *, has_goal: bool) -> list[Row]:
    """The numbers at the top; without a goal, none of those who reached it."""
    names = {
        "people": "People would enter",
        "entered": "Passages",
        "mails": "Mails",
        "goals": "Goals reached",
        "open": "Under way at the end",
        "failed": "Failed",
    }
    if not has_goal:
        del names["goals"]
    rows = [Row(words, draft[name], live[name] if live else None) for name, words in names.items()]
    return [row for row in rows if row.label != "Failed" or row.draft or row.live]


def only(result: dict[str, Any]) -> dict[str, int] | None:
    """How many enter by both, by the draft alone, and by the live version alone."""
    if "live" not in result:
        return None
    both = result["both"]
    return {
        "both": both,
        "draft": result["draft"]["people"] - both,
        "live": result["live"]["people"] - both,
    }


def steps(
    cards: dict[str, Card], draft: dict[str, Any], live: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """People, mails and skipped mails at each node that somebody came to, and at all others."""
    nothing = {"people": 0, "mails": 0, "skipped": 0}
    found = []
    for key, card in cards.items():
        here = draft["nodes"].get(key, nothing)
        there = live["nodes"].get(key, nothing) if live is not None else None
        rows = {name: Row(name, here[name], there[name] if there else None) for name in nothing}
        found.append({"key": key, "card": card, "sends": card.kind == "send", **rows})
    return found


def compared(draft: dict[str, int], live: dict[str, int] | None, words: Any) -> list[Row]:
    """Counts by name, those of most people first."""
    names = sorted({**draft, **(live or {})}, key=lambda name: (-draft.get(name, 0), name))
    return [
        Row(words(name), draft.get(name, 0), None if live is None else live.get(name, 0))
        for name in names
    ]


def ended_words(name: str) -> str:
    """How passages ended, from ``status:reason``."""
    status, _, reason = name.partition(":")
    return ENDED.get(reason or status, f"Left at the exit “{reason}”")


def skipped_words(name: str) -> str:
    """Why a mail was skipped."""
    return SKIPPED.get(name, name)


def refused_words(name: str) -> str:
    """Why somebody did not enter."""
    return str(dict(Refusal.Reason.choices).get(name, name))


def people(first: list[dict[str, Any]], may_see: bool) -> list[dict[str, Any]]:
    """The first who entered; those who were erased since are left out."""
    if not may_see:
        return []
    known = Contact.objects.in_bulk([one["contact"] for one in first])
    found = []
    for one in first:
        contact = known.get(one["contact"])
        if contact is not None:
            moment = parse_moment(one["at"])
            name = f"{one['status']}:{one['reason']}"
            end = "Under way" if one["status"] in ("active", "waiting") else ended_words(name)
            at = moment.instant if moment else None
            found.append({**one, "person": contact, "at": at, "end": end})
    return found


def on_cards(side: dict[str, Any]) -> dict[str, Any]:
    """The numbers on the picture's cards."""
    names = ("people", "mails", "skipped")
    return {key: {name: one[name] for name in names} for key, one in side["nodes"].items()}


def days_of(one: Backtest, where: tzinfo) -> list[str]:
    """Every day of the period."""
    first = one.period_from.astimezone(where).date()
    last = one.period_until.astimezone(where).date()
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def chart(
    cards: dict[str, Card],
    days: list[str],
    draft: dict[str, Any],
    live: dict[str, Any] | None,
) -> dict[str, Any]:
    """People and mails of each day: of the whole journey, and of each node."""

    def series(counts: dict[str, list[int]]) -> list[list[int]]:
        pairs = [counts.get(day, (0, 0)) for day in days]
        return [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]

    def of(side: dict[str, Any], key: str) -> list[list[int]]:
        node = side["nodes"].get(key)
        return series(side["days"] if not key else node["days"] if node else {})

    choices = [("", "The whole journey", "people")]
    choices += [(key, card.words, card.kind) for key, card in cards.items()]
    return {
        "days": [f"{date.fromisoformat(day):%-d %b}" for day in days],
        "choices": [
            {
                "key": key,
                "words": words,
                "sends": not key or kind == "send",
                "draft": of(draft, key),
                "live": of(live, key) if live is not None else None,
            }
            for key, words, kind in choices
        ],
    }


def _placed(problem: Problem, cards: dict[str, Card]) -> dict[str, str]:
    key = card_of(problem.place, cards) or ""
    words = cards[key].words if key in cards else "The start" if key else ""
    return {"key": key, "words": words, "message": problem.message, "hint": problem.hint}
