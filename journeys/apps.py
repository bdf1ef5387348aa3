from django.apps import AppConfig


class JourneysConfig(AppConfig):
    """The journeys room."""

    name = "journeys"
    verbose_name = "Journeys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hear what contacts announce, and have a say where two become one or an import goes."""
        from contacts import entries, identity
        from contacts.imports import hooks
        from contacts.privacy import rooms
        from journeys import importing, merging, privacy, receivers
        from messaging import delivery

        delivery.gates.append(receivers.held_back)
        identity.mergers.append(merging.clear_the_way)
        hooks.keepers.append(importing.on_a_journey)
        entries.by_hand = importing.by_hand
        rooms.append(privacy.Journeys())
