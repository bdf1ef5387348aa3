"""What the contacts room announces: after commit, once a batch, with the ids of the contacts."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.dispatch import Signal

#: Events were recorded. Argument: ``contact_ids``, a list of int.
events_recorded = Signal()
#: Contacts changed, also by a change that changes nothing. Argument: as above.
contacts_changed = Signal()


def announce(signal: Signal, contact_ids: Iterable[int]) -> None:
    """Send ``signal`` once the transaction has committed; a receiver's error stops nobody else."""
    ids = sorted(set(contact_ids))
    if ids:
        transaction.on_commit(lambda: signal.send_robust(sender=None, contact_ids=ids))
