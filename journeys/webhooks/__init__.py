"""Requests that webhook nodes ask for: a row with the move, an effect later, an answer as a fact.

``row`` makes what is stored, ``deliver`` sends what is due; `guard` keeps requests out of the own
network, `signing` lets receivers check who sent them.
"""

from journeys.webhooks.delivery import deliver
from journeys.webhooks.rows import row

__all__ = ["deliver", "row"]
