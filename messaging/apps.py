from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """What we say to people, and how it reaches them."""

    name = "messaging"
    verbose_name = "Messages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make known what this room adds to the one below."""
        from contacts import identity
        from contacts.imports import hooks
        from contacts.privacy import rooms
        from messaging import (  # noqa: F401
            checks,
            conditions,
            importing,
            merging,
            picks,
            privacy,
            webhooks,
        )

        identity.mergers.append(merging.clear_the_way)
        hooks.topics = importing.TopicColumns()
        hooks.keepers.append(importing.spoken_to)
        rooms.append(privacy.Mail())
