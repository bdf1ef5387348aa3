"""Telling programs that open mails and follow links from the people they work for (FACTS 4.4)."""

from __future__ import annotations

import re
from datetime import timedelta

#: Nobody reads a mail sooner than this after it was handed over; a gateway that looks for viruses
#: does.
TOO_SOON = timedelta(seconds=2)

_PROGRAMS = re.compile(
    r"GoogleImageProxy|YahooMailProxy|bot\b|crawler|spider|scan|preview|fetch|proofpoint|mimecast"
    r"|barracuda|curl/|wget/|python|okhttp|java/|headless",
    re.IGNORECASE,
)


def is_machine(method: str, user_agent: str, since_sent: timedelta | None) -> bool:
    """Whether a request is a program's doing. ``since_sent`` is the time since the mail left.

    Apple's mail proxy calls itself just “Mozilla/5.0”. In doubt it was a program: what counts as
    an opening moves people on in a journey.
    """
    if method != "GET" or user_agent.strip() in ("", "Mozilla/5.0"):
        return True
    if since_sent is None or since_sent < TOO_SOON:
        return True
    return _PROGRAMS.search(user_agent) is not None
