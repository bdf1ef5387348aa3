from journeys.models.backtest import Backtest
from journeys.models.clock import Hour
from journeys.models.enrollment import DateEntry, Enrollment, Refusal, Visit, WebhookCall
from journeys.models.journey import Edge, Journey, Node, SavedDraft, SegmentUse, TopicUse, Version
from journeys.models.relocation import Relocated, Relocation

__all__ = [
    "Backtest",
    "DateEntry",
    "Edge",
    "Enrollment",
    "Hour",
    "Journey",
    "Node",
    "Refusal",
    "Relocated",
    "Relocation",
    "SavedDraft",
    "SegmentUse",
    "TopicUse",
    "Version",
    "Visit",
    "WebhookCall",
]
