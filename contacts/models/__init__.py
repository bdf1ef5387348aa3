from contacts.models.api_key import ApiKey
from contacts.models.catalogue import AttributeName, EventName
from contacts.models.contact import AnonymousId, Contact
from contacts.models.event import TOO_LATE, Event
from contacts.models.fact import Fact
from contacts.models.imports import Import, ImportChunk, RefusedRow
from contacts.models.merge import FormerId, Merge, Receipt
from contacts.models.privacy import PrivacyRecord
from contacts.models.segment import Membership, Segment

__all__ = [
    "TOO_LATE",
    "AnonymousId",
    "ApiKey",
    "AttributeName",
    "Contact",
    "Event",
    "EventName",
    "Fact",
    "FormerId",
    "Import",
    "ImportChunk",
    "Membership",
    "Merge",
    "PrivacyRecord",
    "Receipt",
    "RefusedRow",
    "Segment",
]
