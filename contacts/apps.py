from django.apps import AppConfig


class ContactsConfig(AppConfig):
    """The room of people and what they did."""

    name = "contacts"
    verbose_name = "People"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Hear of what is saved through the ORM, and of connections to SQLite."""
        from contacts import conditions, receivers  # noqa: F401
        from contacts.privacy import rooms
        from contacts.privacy.own import People

        rooms.append(People())
