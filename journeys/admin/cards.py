"""The cards of nodes in the words of their own versions, where lists and pages speak of steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from journeys.models import Node, Version
from journeys.naming import names_in
from journeys.picture import Card, read_nodes


@dataclass(frozen=True)
class Cards:
    """Cards by version and key."""

    by_version: Mapping[int, Mapping[str, Card]]

    def of(self, node: Node) -> Card | None:
        """The card of a node; None where its version can't be read there."""
        return self.by_version.get(node.version_id, {}).get(node.key)

    def words(self, node: Node) -> str:
        """What a node does, or its key."""
        card = self.of(node)
        return card.words if card else node.key


def of_nodes(nodes: Iterable[Node]) -> Cards:
    """The cards of these nodes; a statement for their versions, and one for each kind of name."""
    versions = {node.version_id for node in nodes}
    rows = Version.objects.filter(pk__in=versions).values_list("pk", "definition")
    definitions = dict(rows) if versions else {}
    names = names_in(*definitions.values())
    return Cards({pk: read_nodes(data, names) for pk, data in definitions.items()})
