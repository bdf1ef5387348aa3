"""An independent reading of the rules, and random journeys to compare the engine with it."""
