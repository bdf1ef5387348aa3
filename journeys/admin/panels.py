"""The panel beside the map: the form of a card, made of the settings that its kind has.

Each kind of setting has a widget: a template for the server, and a reader of the same name in
``form.js`` that turns it into the file's JSON again. What is wrong with it comes with each save.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from contacts.admin.condition_editor import ConditionWidget, endpoints
from contacts.conditions import Scope
from contacts.models import AttributeName, EventName, Segment
from journeys import fields
from journeys.calendar import DAYS
from journeys.naming import mails_of, names_in
from journeys.nodes import NodeKind, kinds
from journeys.picture import ENTRY, Card, read_nodes
from journeys.wording import DAY_NAMES
from messaging.models import Template, Topic

#: The widget of each setting; the first that fits, so that the more special ones come first.
WIDGETS: dict[type[fields.Setting], str] = {
    fields.SlugSetting: "slug",
    fields.BodySetting: "body",
    fields.TextSetting: "text",
    fields.ChoiceSetting: "choice",
    fields.FlagSetting: "flag",
    fields.DurationSetting: "duration",
    fields.ConditionSetting: "condition",
    fields.EventSetting: "event",
    fields.DateSetting: "date",
    fields.WindowSetting: "window",
    fields.PathsSetting: "paths",
    fields.VariantsSetting: "variants",
    fields.ChangesSetting: "changes",
    fields.HeadersSetting: "headers",
}


#: What the way of a path is called that has no name yet.
UNNAMED = "(no name yet)"


class Catalogue:
    """What pickers offer: what exists, and what was really seen; a query each, once a panel."""

    def __init__(self) -> None:
        self.mails = list(Template.objects.order_by("name").values_list("slug", "name", "subject"))
        self.templates = [(slug, name) for slug, name, _ in self.mails]
        self.topics = list(Topic.objects.order_by("name").values_list("slug", "name"))
        self.segments = list(Segment.objects.order_by("name").values_list("slug", "name"))
        self.events = list(EventName.objects.order_by("name").values_list("name", "properties"))
        self.attributes = list(AttributeName.objects.order_by("name").values_list("name", "types"))

    def choices(self, catalog: str) -> list[tuple[str, str]]:
        """Slugs with names of templates, topics or segments."""
        return list(getattr(self, catalog, []))

    def as_json(self) -> dict[str, Any]:
        """What the browser completes names from."""
        own = ["email", "external_id", "timezone", "created_at"]
        return {
            "endpoints": endpoints(),
            "events": {name: sorted(properties) for name, properties in self.events},
            "attributes": own + [name for name, _ in self.attributes],
        }


class Panel:
    """The panel of one card of a draft."""

    def __init__(self, request: HttpRequest, draft: Mapping[str, Any], key: str) -> None:
        self.request, self.draft, self.key = request, draft, key
        self.catalogue = Catalogue()
        self.names = names_in(draft)
        entry = draft.get("entry")
        trigger = entry.get("trigger") if isinstance(entry, dict) else None
        self.trigger = trigger if isinstance(trigger, dict) else {}
        self.by_event = bool(self.trigger.get("event"))

    def html(self, editable: bool) -> str:
        """The panel's HTML; empty for a card that is not there."""
        shared = {"key": self.key, "editable": editable, "catalogue": self.catalogue}
        if self.key == ENTRY:
            context = {**shared, **self._entry()}
            return render_to_string("journeys/builder/panel_entry.html", context, self.request)
        nodes = self.draft.get("nodes")
        node = nodes.get(self.key) if isinstance(nodes, dict) else None
        kind = kinds().get(str(node.get("kind"))) if isinstance(node, dict) else None
        if kind is None or not isinstance(node, dict):
            return ""
        context = {**shared, "kind": described(kind), **self._node(kind, node)}
        return render_to_string("journeys/builder/panel_node.html", context, self.request)

    # --- a node ---

    def _node(self, kind: type[NodeKind], node: Mapping[str, Any]) -> dict[str, Any]:
        made = [
            self.field(name, setting, node.get(name), name in node)
            for name, setting in kind.Config.base_fields.items()
        ]
        cards = read_nodes(self.draft, self.names)
        own = cards[self.key]
        return {
            "fields": made,
            "one_of": kind.one_of,
            "chosen": next((one["name"] for one in made if one["given"]), made[0]["name"])
            if made
            else "",
            "outcomes": ways_of(own),
            # As the browser writes what the map tells it, to see whether they agree.
            "ways": json.dumps(ways_of(own), ensure_ascii=False, separators=(",", ":")),
            "others": _called(cards, besides=self.key),
        }

    def field(self, name: str, setting: Any, value: Any, given: bool = True) -> dict[str, Any]:
        """What the template of a setting's widget needs."""
        widget = next((w for kind, w in WIDGETS.items() if isinstance(setting, kind)), "body")
        label = str(setting.label or name.replace("_", " ").capitalize())
        context = {
            "widget": widget,
            "template": f"journeys/widgets/{widget}.html",
            "name": name,
            "place": name,
            "id": f"jb-{name}",
            "label": label,
            "help": str(setting.help_text),
            "required": setting.required,
            "value": value,
            "given": given,
        }
        make = getattr(self, f"_{widget}", None)
        return {**context, **(make(name, setting, value) if make else {})}

    def _slug(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        choices = self.catalogue.choices(setting.catalog)
        return {
            "mails": self.catalogue.mails,
            "picked": dict(choices).get(value, ""),
            "catalog": setting.catalog,
            "singular": setting.catalog.rstrip("s"),
            "choices": choices,
            "unknown": value if value and value not in dict(choices) else "",
        }

    def _choice(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        choices = [
            (key, label) for key, label in setting.choices if value or key != setting.initial
        ]
        if not value and not setting.required:
            choices.insert(0, ("", dict(setting.choices).get(setting.initial, "")))
        return {"choices": choices, "value": value or ""}

    def _duration(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        return {"duration": duration_parts(value)}

    def _condition(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        return {"editor": self.condition_editor(f"jb-{name}", value)}

    def _event(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return {
            "event": given.get("event", ""),
            "where": json.dumps(given["where"], ensure_ascii=False) if "where" in given else "",
            "has_timeout": "timeout" in setting.extra,
            "timeout": duration_parts(given.get("timeout")),
        }

    def _date(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return {
            "attribute": given.get("attribute", ""),
            "offset": duration_parts(given.get("offset")),
            "at": given.get("at", ""),
            "has_yearly": "yearly" in setting.extra,
            "yearly": given.get("yearly", False),
        }

    def _window(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        days = given.get("days", list(DAYS)) or []
        return {
            "days": [(day, DAY_NAMES[number], day in days) for number, day in enumerate(DAYS)],
            "written": json.dumps(given.get("days")),
            "from": given.get("from", "" if given else "09:00"),
            "to": given.get("to", "" if given else "17:00"),
        }

    def _paths(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
        return {
            "paths": [
                {
                    "name": one.get("name", ""),
                    "editor": self.condition_editor(f"jb-path-{number}", one.get("when")),
                    "place": f"paths[{number}]",
                }
                for number, one in enumerate(given)
            ],
            "blank": self.condition_editor("jb-path-new", None),
        }

    def _variants(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return {"variants": sorted(given.items())}

    def _changes(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        rows = [{"name": key, **typed(new)} for key, new in sorted(given.items())]
        return {"changes": rows, "types": CHANGE_TYPES}

    def _headers(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        return {"headers": sorted(value.items()) if isinstance(value, dict) else []}

    def _body(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        return {"value": "" if value is None else text, "is_text": isinstance(value, str)}

    def condition_editor(self, name: str, value: Any, *, enrollment: bool = True) -> str:
        """The condition editor for one condition; the JSON of ``value`` is its text."""
        senders = {
            key: key if key == name else f"{name} ({key})"
            for key, name in mails_of(self.draft, self.names).items()
        }
        widget = ConditionWidget(
            scope=Scope(enrollment=enrollment, trigger=self.by_event),
            trigger=str(self.trigger.get("event") or ""),
            nodes=senders if enrollment else {},
            empty="Add what must be true.",
        )
        text = "" if value is None else json.dumps(value, ensure_ascii=False)
        attrs = {"id": name, "aria-label": "Condition", "data-condition": ""}
        return widget.render(name, text, attrs)

    # --- the entry ---

    def _entry(self) -> dict[str, Any]:
        entry = self.draft.get("entry")
        entry = entry if isinstance(entry, dict) else {}
        trigger = self.trigger
        dated = {("attribute" if k == "date" else k): part for k, part in trigger.items()}
        goal = self.draft.get("goal")
        goal_event = isinstance(goal, dict) and "event" in goal
        reentry = entry.get("reentry", "once")
        return {
            "name": self.draft.get("name", ""),
            "description": self.draft.get("description", ""),
            "way": next((w for w in ("event", "segment", "date", "manual") if w in trigger), ""),
            "event": self._part("event", fields.EventSetting(), trigger),
            "event_key": trigger.get("key", ""),
            "segment": self._part(
                "segment", fields.SlugSetting(catalog="segments"), trigger.get("segment")
            ),
            "date": self._part("date", fields.DateSetting(extra=("yearly",)), dated),
            "reentry": "after" if isinstance(reentry, dict) else reentry,
            "pause": duration_parts(reentry.get("after") if isinstance(reentry, dict) else "30d"),
            "filter": self.condition_editor("jb-filter", entry.get("filter"), enrollment=False),
            "goal_way": ("event" if goal_event else "condition") if goal else "",
            "goal_event": self._part("goal", fields.EventSetting(), goal if goal_event else None),
            "goal_condition": self.condition_editor(
                "jb-goal-condition", None if goal_event else goal, enrollment=False
            ),
            "exit_when": self.condition_editor("jb-exit", self.draft.get("exit_when")),
            "has_exit": "exit_when" in self.draft,
            "has_filter": "filter" in entry,
            "window": self._part("window", fields.WindowSetting(), self.draft.get("window")),
            "has_window": "window" in self.draft,
        }

    def _part(self, name: str, setting: Any, value: Any) -> dict[str, Any]:
        return self.field(name, setting, value)


def described(kind: type[NodeKind]) -> dict[str, Any]:
    """A kind as the palette and templates show it."""
    return {
        "kind": kind.kind,
        "label": kind.label,
        "icon": kind.icon,
        "description": kind.description,
        "config": kind.starts_as,
        "ends": not (kind.starts_as or kind("", {}).outcomes),
    }


def ways_of(card: Card) -> list[tuple[str, str, str | None]]:
    """Where a card leads: each outcome, what it is called, and the key of the next card."""
    return [
        (outcome, _title(card.way(outcome)) or UNNAMED, target)
        for outcome, target in card.outcomes.items()
    ]


def _title(label: str) -> str:
    return label[:1].upper() + label[1:]


def _called(cards: Mapping[str, Card], besides: str) -> list[tuple[str, str]]:
    """The other cards to choose from: by their words, and the key where two are alike."""
    words = Counter(card.words for card in cards.values())
    return [
        (key, card.words if words[card.words] == 1 else f"{card.words} ({key})")
        for key, card in cards.items()
        if key != besides
    ]


CHANGE_TYPES = [
    ("text", "Text"),
    ("number", "Number"),
    ("boolean", "Yes or no"),
    ("remove", "Remove it"),
    ("json", "Other (JSON)"),
]


def duration_parts(value: Any) -> dict[str, str]:
    """A duration as a form shows it: a count and a unit, or its text where it has several."""
    text = value if isinstance(value, str) else ""
    found = re.fullmatch(r"([+-]?)([0-9]+)([wdhms])", text)
    if found:
        sign = "before" if found[1] == "-" else "after"
        return {"count": found[2], "unit": found[3], "text": "", "sign": sign}
    sign = "before" if text.startswith("-") else "after" if text else "on"
    return {"count": "", "unit": "d", "text": text.lstrip("+-"), "sign": sign}


def typed(value: Any) -> dict[str, str]:
    """A value with the type that a form shows for it."""
    if value is None:
        return {"type": "remove", "value": ""}
    if isinstance(value, bool):
        return {"type": "boolean", "value": "true" if value else "false"}
    if isinstance(value, int | float):
        return {"type": "number", "value": json.dumps(value)}
    if isinstance(value, str):
        return {"type": "text", "value": value}
    return {"type": "json", "value": json.dumps(value, ensure_ascii=False)}
