"""What a person may ask for by law: all that is known of them, and to be forgotten.

Every room says what it keeps of a contact and takes it away; higher rooms add themselves to
``rooms`` when they start. Both requests leave a ``PrivacyRecord``, which does not say who it was.
"""

from contacts.privacy.imported import Busy
from contacts.privacy.rooms import Room, rooms
from contacts.privacy.subject import Subject
from contacts.privacy.work import counts, erase, export

__all__ = ["Busy", "Room", "Subject", "counts", "erase", "export", "rooms"]
