from messaging.models.channel import Channel
from messaging.models.installation import Installation
from messaging.models.message import Message
from messaging.models.suppression import SoftBounce, Suppression, address_hash
from messaging.models.template import Template
from messaging.models.topic import Subscription, Topic

__all__ = [
    "Channel",
    "Installation",
    "Message",
    "SoftBounce",
    "Subscription",
    "Suppression",
    "Template",
    "Topic",
    "address_hash",
]
