"""A draft replayed over the stored contacts and events of a period, before anyone is mailed.

The same engine and the same policy as a simulation (``journeys.simulation``), on batches in memory
that are made from rows instead of files. Nothing is sent and no live table is written.
"""

from journeys.backtest.running import cancel, due_since, start, step

__all__ = ["cancel", "due_since", "start", "step"]
