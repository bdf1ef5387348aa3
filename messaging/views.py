"""The pages and addresses that people, mail programs and pictures reach from a mail.

None of them knows a session: the signed token is all that is asked for. No cookie is read or set,
and nothing is redirected but a click.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from contacts import limits
from contacts.clock import now
from contacts.models import Contact
from messaging import links, machines, tracking, unsubscribe
from messaging.models import Installation, Message, Topic
from messaging.tracking import News, What

log = logging.getLogger(__name__)

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")

View = Callable[..., HttpResponse]


def public(view: View) -> View:
    """A page for anybody with the link: no sign-in, no CSRF token, not kept, not indexed."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response

    return csrf_exempt(login_not_required(shown))


def _page(name: str, status: int = 200, **context: Any) -> HttpResponse:
    # Without the request: its context processors would look at the session.
    context["sender"] = Installation.load().from_name
    return HttpResponse(render_to_string(f"messaging/{name}.html", context), status=status)


def _unknown(request: HttpRequest) -> HttpResponse:
    """One answer to every link that is not ours, and a pause for whoever tries many."""
    caller = salted_hmac("messaging.bad_link", request.META.get("REMOTE_ADDR", "")).hexdigest()[:16]
    most = settings.BAD_LINK_LIMIT
    if wait := limits.count(f"link:{caller}", most=most, seconds=60, now=now()):
        response = _page("link_unknown", status=429)
        response["Retry-After"] = str(wait)
        return response
    return _page("link_unknown", status=404)


# Unsubscribing


@public
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks and changes nothing; POST unsubscribes, by the page's button or by RFC 8058."""
    if token == links.TEST:
        return _page("link_test")
    if (found := unsubscribe.find(token)) is None:
        return _unknown(request)
    contact, topic = found
    done = ""
    if request.method == "POST":
        done = _unsubscribed(_form(request), contact, topic)
    preferences = unsubscribe.preferences(contact, topic)
    return _page("unsubscribe", token=token, preferences=preferences, done=done)


def _form(request: HttpRequest) -> QueryDict:
    """What a form says, and nothing where it can't be read."""
    try:
        return request.POST
    except (BadRequest, SuspiciousOperation, MultiPartParserError, OSError, ValueError):
        return QueryDict()


def _unsubscribed(form: QueryDict, contact: Contact, topic: Topic | None) -> str:
    """Do what was asked; the word for it. Whatever can't be read is the one click of RFC 8058."""
    asked = form.get("do", "")
    if asked == "undo":
        everything = form.get("what") == "all"
        unsubscribe.resubscribe(contact, None if everything else topic, at=now())
        return "undone"
    if asked == "all":
        topic = None
    source = "unsubscribe page" if asked else "one click"
    unsubscribe.unsubscribe(contact, topic, at=now(), source=source)
    return "topic" if topic else "all"


@public
@require_http_methods(["GET", "HEAD", "POST"])
def preferences_page(request: HttpRequest, token: str) -> HttpResponse:
    """The topics, each to be taken or not, and nothing at all."""
    if token == links.TEST:
        return _page("link_test")
    if (found := unsubscribe.find(token)) is None:
        return _unknown(request)
    contact, topic = found
    saved = request.method == "POST"
    if saved:
        nothing = request.POST.get("do") == "nothing"
        unsubscribe.save(contact, request.POST.getlist("topic"), nothing=nothing, at=now())
    preferences = unsubscribe.preferences(contact, topic)
    return _page("preferences", token=token, preferences=preferences, saved=saved)


# Openings and clicks


@public
def opened(request: HttpRequest, message: str, signature: str) -> HttpResponse:
    """The invisible picture; always the same picture, whether the address is ours or not."""
    uuid = UUID(message)
    if links.is_open(uuid, signature):
        _tell(request, uuid, What.OPENED)
    return HttpResponse(PICTURE, content_type="image/gif")


@public
@require_safe
def clicked(request: HttpRequest, message: str, signature: str) -> HttpResponse:
    """On to where the link leads, if it is a link that we made."""
    uuid, target = UUID(message), request.GET.get("to", "")
    if not links.is_click(uuid, target, signature):
        return _unknown(request)
    _tell(request, uuid, What.CLICKED)
    return HttpResponseRedirect(target)


def _tell(request: HttpRequest, uuid: UUID, what: What) -> None:
    """Note an opening or a click; whatever goes wrong, the person gets the picture or the page."""
    at = now()
    try:
        message = Message.objects.filter(uuid=uuid).only("pk", "sent_at").first()
        if message is None:
            return
        machine = machines.is_machine(
            request.method or "",
            request.headers.get("User-Agent", ""),
            at - message.sent_at if message.sent_at else None,
        )
        if machine and what is What.CLICKED:
            return
        tracking.note([News(message.pk, what, at, machine=machine)], received_at=at)
    except Exception:
        log.exception("What became of message %s could not be noted", uuid)
