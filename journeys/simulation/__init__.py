"""A journey replayed over past facts, with a clock of its own (SEMANTICS §5).

The engine works on a batch in memory and touches no database (``journeys.world``), so a simulation
is the same engine on a batch that was made from files: nothing is sent, and there is no table that
could be written.
"""

from journeys.simulation.inputs import SimulationError
from journeys.simulation.run import simulate

__all__ = ["SimulationError", "simulate"]
