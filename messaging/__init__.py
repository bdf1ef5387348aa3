"""What we say to people, and what became of it."""
