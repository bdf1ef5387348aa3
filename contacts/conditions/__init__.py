"""The condition language (§3): one tree, judged in Python (`holds`) and in SQL (`expression`)."""

from contacts.conditions.attribute import Attribute
from contacts.conditions.comparisons import Comparison, TriggerComparison
from contacts.conditions.events import COUNT_OPERATORS, Count, EventCount
from contacts.conditions.language import (
    FORMS,
    Condition,
    Form,
    Never,
    Reader,
    References,
    Scope,
    form,
    parse,
)
from contacts.conditions.logic import All, Any, Not
from contacts.conditions.operators import OPERATORS, TYPES, Operator, operators_for
from contacts.conditions.segments import (
    HOW_LARGE,
    SegmentMember,
    built_on,
    in_order,
    parse_segment,
    segment_problems,
    time_dependent,
    too_large,
)
from contacts.conditions.sql import every, negate, some
from contacts.conditions.view import OWN_FIELDS, Happened, Occurrence, View, attribute_of
from contacts.conditions.where import Term, Where, parse_where

__all__ = [
    "COUNT_OPERATORS",
    "FORMS",
    "HOW_LARGE",
    "OPERATORS",
    "OWN_FIELDS",
    "TYPES",
    "All",
    "Any",
    "Attribute",
    "Comparison",
    "Condition",
    "Count",
    "EventCount",
    "Form",
    "Happened",
    "Never",
    "Not",
    "Occurrence",
    "Operator",
    "Reader",
    "References",
    "Scope",
    "SegmentMember",
    "Term",
    "TriggerComparison",
    "View",
    "Where",
    "attribute_of",
    "built_on",
    "every",
    "form",
    "in_order",
    "negate",
    "operators_for",
    "parse",
    "parse_segment",
    "parse_where",
    "segment_problems",
    "some",
    "time_dependent",
    "too_large",
]
