"""Why a message stands where it stands, in sentences for people."""

from __future__ import annotations

from messaging.models import Message

Status = Message.Status

#: Reasons that the rules S1 to S5, the delivery and the journeys write.
REASONS = {
    "no_address": "The person has no e-mail address.",
    "suppressed": "The address is suppressed: nothing may be sent to it.",
    "unsubscribed": "The person does not take this kind of mail.",
    "capped": "The person has had as many messages lately as the frequency cap allows.",
    "goal": "The person reached the goal of the journey first.",
    "exit_when": "The person left the journey first.",
    "archived": "The journey was archived.",
    "moved_out": "The person was taken out of the journey.",
    "template": "The template could not be filled in for this person.",
    "invalid_address": "What stands in the place of the address is no e-mail address.",
    "unsendable": "The mail could not be made.",
    "refused": "The mail server refused it for good.",
    "refused_by_provider": "The provider refused it for good.",
    "gave_up": "The other side put it off until the last attempt.",
    "try_later": "The other side asked to try again later.",
    "unreachable": "The mail server can't be reached.",
    "settings": "The mail server or provider does not accept our credentials or settings.",
    "too_fast": "The provider asked to send more slowly.",
    "connection_broke": "The connection broke after the mail had left and before the answer.",
    "unclear_answer": "The provider's answer does not say whether it took the mail.",
    "unknown_error": "Something unforeseen happened while it was handed over.",
    "interrupted": "The process that handed it over was stopped in the middle.",
}

STATUSES = {
    Status.QUEUED: "It waits to be handed over.",
    Status.SENDING: "It is being handed over at this moment.",
    Status.SENT: "It was handed over.",
    Status.FAILED: "It was not sent and will not be.",
    Status.SKIPPED: "It was not sent, by the rules.",
    Status.UNCERTAIN: "Nobody knows whether it was sent, so it is not sent a second time.",
    Status.CANCELLED: "It was called off before it was handed over.",
}


def why(reason: str) -> str:
    """A reason as a sentence; one that is not known here stands as it is."""
    return REASONS.get(reason) or (f"{reason[:1].upper()}{reason[1:]}." if reason else "")


def said(message: Message) -> str:
    """How a message stands, in one or two sentences."""
    if message.status == Status.QUEUED and message.attempts:
        again = "It was tried and waits for the next attempt."
        return " ".join(part for part in (again, why(message.reason)) if part)
    if message.status == Status.SENT and (told := became(message)):
        return f"It was handed over. Since then it {told}."
    sentence = STATUSES[Status(message.status)]
    return " ".join(part for part in (sentence, why(message.reason)) if part)


def story(message: Message) -> str:
    """What became of a message, told of its template: “Hello” was not sent. Why."""
    name = f"“{message.template.name}”"
    openings = {
        Status.SKIPPED: f"{name} was not sent.",
        Status.FAILED: f"{name} could not be sent.",
        Status.UNCERTAIN: f"It is uncertain whether {name} was sent.",
        Status.CANCELLED: f"{name} was called off before it was sent.",
        Status.SENT: f"{name} was sent to {message.to}.",
    }
    opening = openings.get(Status(message.status), f"{name} is waiting to be sent to {message.to}.")
    told = became(message)
    since = f"Since then it {told}." if told else ""
    return " ".join(part for part in (opening, since or why(message.reason)) if part)


def became(message: Message) -> str:
    """What was told about a message that was handed over: “was delivered and opened”."""
    told = [
        words
        for at, words in (
            (message.delivered_at, "delivered"),
            (message.opened_at, "opened"),
            (message.clicked_at, "clicked"),
            (message.complained_at, "reported as spam"),
        )
        if at
    ]
    parts = [f"was {_joined(told)}"] if told else []
    if message.bounced_at:
        parts.append("bounced")
    return _joined(parts)


def _joined(words: list[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + "".join(words[-1:])
