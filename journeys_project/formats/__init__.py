"""How the admin writes dates and times: the same everywhere, day before month, 24 hours."""
