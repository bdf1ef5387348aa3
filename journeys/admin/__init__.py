"""The admin of journeys: the map, the people on it, and what needs attention.

Django imports this package when the apps are ready; the models register in the modules below.
"""

from journeys.admin.enrollments import EnrollmentAdmin, RefusalAdmin, WebhookCallAdmin
from journeys.admin.journeys import JourneyAdmin
from journeys.admin.on_contact import visits as contact_visits
from journeys.admin.people import journeys as contact_section
from journeys.admin.uses import by_journeys as segment_uses
from journeys.naming import journeys_called
from messaging.admin import sources

sources.names = journeys_called

__all__ = [
    "EnrollmentAdmin",
    "JourneyAdmin",
    "RefusalAdmin",
    "WebhookCallAdmin",
    "contact_section",
    "contact_visits",
    "segment_uses",
]
