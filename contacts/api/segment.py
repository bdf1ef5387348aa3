"""Segment's HTTP tracking API: what its own clients, and those of its kin, send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from contacts import ingest
from contacts.api import body as bodies
from contacts.api.examples import EXAMPLES
from contacts.api.keys import authorize
from contacts.api.replies import Failure, Received, Refusal, Rejected
from contacts.clock import now
from contacts.items import Alias, Identify, Item, Refused, Track
from contacts.values import parse_moment

MAX_ITEMS = 2_500

router = Router()
Answer = Received | Status


def item_of(message: Any, received_at: datetime) -> Item:
    """What one message of the protocol says. Raises ``Refused``."""
    if not isinstance(message, Mapping):
        raise Refused("invalid_item", "An item must be an object.")
    kind = message.get("type")
    kind = kind if isinstance(kind, str) else ""
    if kind in bodies.UNFIT:
        raise Refused(*bodies.UNFIT[kind])
    reader = READERS.get(kind)
    if reader is None:
        raise Refused("unknown_type", "“type” must be one of " + ", ".join(READERS) + ".")
    return reader(message, received_at)


def _object(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part that is an object, or is left out."""
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Refused(f"invalid_{name}", f"“{name}” must be an object.")
    return value


def occurred_at(message: Mapping[str, Any], received_at: datetime) -> datetime | None:
    """When it happened by our clock: the client's clock is wrong by (sentAt − receivedAt)."""
    given = message.get("timestamp")
    original = message.get("originalTimestamp", given)
    if original is None:
        return None
    moment = _moment(original if given is None or message.get("sentAt") else given)
    if moment is None:
        raise Refused("invalid_timestamp", "“timestamp” is no ISO 8601 date and time.")
    sent = _moment(message.get("sentAt"))
    try:
        return moment if sent is None else received_at - (sent - moment)
    except OverflowError:
        raise Refused("invalid_timestamp", "“timestamp” lies beyond the calendar.") from None


def _moment(value: Any) -> datetime | None:
    moment = parse_moment(value)
    if moment is not None:
        return moment.instant
    try:
        parsed = datetime.fromisoformat(value)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None


def _event(
    message: Mapping[str, Any], received_at: datetime, name: Any, properties: Mapping[str, Any]
) -> Track:
    if name is None or name == "":
        raise Refused("no_event", "“event” is needed: the name of what happened.")
    traits = _object(_object(message, "context"), "traits")
    return Track(
        name=name,
        properties=properties,
        occurred_at=occurred_at(message, received_at),
        message_id=message.get("messageId"),
        external_id=message.get("userId"),
        anonymous_id=message.get("anonymousId"),
        email=traits.get("email"),
    )


def _track(message: Mapping[str, Any], received_at: datetime) -> Track:
    return _event(message, received_at, message.get("event"), _object(message, "properties"))


def _viewed(name: str) -> Callable[[Mapping[str, Any], datetime], Track]:
    """A page or a screen was looked at: an event of that name."""

    def read(message: Mapping[str, Any], received_at: datetime) -> Track:
        seen = {key: message[key] for key in ("name", "category") if message.get(key) is not None}
        page = _object(_object(message, "context"), "page")
        return _event(
            message, received_at, name, {**page, **_object(message, "properties"), **seen}
        )

    return read


def _identify(message: Mapping[str, Any], received_at: datetime) -> Identify:
    context = _object(message, "context")
    traits = dict(_object(message, "traits") or _object(context, "traits"))
    traits.pop("external_id", None)
    created = [traits.pop("created_at", None), traits.get("createdAt")]
    return Identify(
        set=traits,
        message_id=message.get("messageId"),
        external_id=message.get("userId"),
        anonymous_id=message.get("anonymousId"),
        timezone=context.get("timezone"),
        language=_language(context.get("locale")),
        created_at=next((moment for value in created if (moment := _moment(value))), None),
    )


def _language(locale: Any) -> str | None:
    return locale[:16] if isinstance(locale, str) else None


def _group(message: Mapping[str, Any], received_at: datetime) -> Identify:
    """Belonging to a group is an attribute: ``group.id``, with what is known of the group."""
    group_id = message.get("groupId")
    if group_id is None:
        raise Refused("no_groupId", "“groupId” is needed.")
    return Identify(
        set={"group": {**_object(message, "traits"), "id": group_id}},
        message_id=message.get("messageId"),
        external_id=message.get("userId"),
        anonymous_id=message.get("anonymousId"),
    )


def _alias(message: Mapping[str, Any], received_at: datetime) -> Alias:
    return Alias(
        previous=message.get("previousId") or message.get("anonymousId") or "",
        user=message.get("userId") or "",
        message_id=message.get("messageId"),
    )


READERS: dict[str, Callable[[Mapping[str, Any], datetime], Item]] = {
    "track": _track,
    "identify": _identify,
    "page": _viewed("page_viewed"),
    "screen": _viewed("screen_viewed"),
    "group": _group,
    "alias": _alias,
}


def receive(messages: list[Any], received_at: datetime) -> Received:
    """Store the messages in their order, and say what became of each."""
    items: list[Item] = []
    places: list[int] = []
    rejected: list[tuple[int, str, str]] = []
    for index, message in enumerate(messages):
        try:
            items.append(item_of(message, received_at))
            places.append(index)
        except Refused as refused:
            rejected.append((index, refused.code, refused.message))
    outcome = ingest.record(items, received_at=received_at, source="api")
    rejected += [(places[index], code, text) for index, code, text in outcome.rejected]
    return Received(
        accepted=outcome.accepted,
        duplicate=outcome.duplicates,
        rejected=[
            Rejected(index=index, code=code, message=text) for index, code, text in sorted(rejected)
        ],
    )


def one(request: HttpRequest, kind: str) -> Answer:
    """A call with a single message: what can't be stored is the call's own failure."""
    message = bodies.read(request, bodies.MAX_CALL)
    at = now()
    authorize(request, message, at)
    received = receive([{**message, "type": kind}], at)
    if received.rejected:
        first = received.rejected[0]
        return Status(400, Refusal(code=first.code, message=first.message))
    return received


def many(request: HttpRequest) -> Answer:
    """A call with a batch. ``context`` and ``sentAt`` beside it hold for each of its items."""
    body = bodies.read(request, bodies.MAX_BATCH)
    at = now()
    authorize(request, body, at)
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise Failure(400, "invalid_batch", "“batch” must be a list.")
    if len(batch) > MAX_ITEMS:
        raise Failure(400, "too_many", f"A batch may hold {MAX_ITEMS:,} items.")
    return receive([_with_shared(item, body) for item in batch], at)


def _with_shared(item: Any, body: Mapping[str, Any]) -> Any:
    """An item with what the batch says for all."""
    if not isinstance(item, Mapping):
        return item
    if unfit := bodies.unfit(item):
        return {"type": unfit}
    shared = body.get("context")
    own = item.get("context")
    context = {**shared, **own} if isinstance(shared, Mapping) and isinstance(own, Mapping) else own
    return {
        **item,
        "context": shared if context is None else context,
        "sentAt": item.get("sentAt") or body.get("sentAt"),
    }


def described(name: str, text: str) -> dict[str, Any]:
    """How the documentation shows a call."""
    return {
        "description": text,
        "openapi_extra": {
            "security": [{"basic": []}, {"bearer": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"type": "object"},
                        "example": EXAMPLES[name],
                    }
                },
            },
        },
    }


RESPONSES: dict[Any, Any] = {
    200: Received,
    frozenset({400, 401, 411, 413, 415, 429, 503}): Refusal,
}


def _serve(name: str, view: Callable[[HttpRequest], Answer], summary: str, text: str) -> None:
    """Answer with and without a slash at the end: a redirect would lose the body."""
    view.__name__ = name
    for path in (f"/{name}", f"/{name}/"):
        router.post(
            path,
            response=RESPONSES,
            summary=summary,
            operation_id=name,
            include_in_schema=not path.endswith("/"),
            **described(name, text),
        )(view)


def _one(kind: str) -> Callable[[HttpRequest], Answer]:
    def view(request: HttpRequest) -> Answer:
        return one(request, kind)

    return view


def _many(request: HttpRequest) -> Answer:
    return many(request)


def _import(request: HttpRequest) -> Answer:
    return many(request)


_serve("track", _one("track"), "Somebody did something", "Stores one event.")
_serve(
    "identify",
    _one("identify"),
    "Who somebody is",
    "Sets attributes. `null` removes one, a dotted name reaches into an object. `email` and"
    " `timezone` are the person's own fields. An `anonymousId` beside the `userId` joins what was"
    " done under it.",
)
_serve("batch", _many, "Many at once", "Up to 2,500 items or 500 KB, in their order.")
_serve("import", _import, "Many at once, from the past", "The same as `batch`.")
_serve("page", _one("page"), "Somebody looked at a page", "Stores an event `page_viewed`.")
_serve("screen", _one("screen"), "Somebody looked at a screen", "Stores an event `screen_viewed`.")
_serve("group", _one("group"), "Somebody belongs to a group", "Sets the attribute `group`.")
_serve(
    "alias",
    _one("alias"),
    "Two ids are one person",
    "What was done under `previousId`, an anonymous or a user id, becomes that of `userId`.",
)
