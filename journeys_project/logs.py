"""How log records look: one line each, and never anybody's address."""

import logging
import re

EMAIL = re.compile(r"[^\s@<>\"'=:;,/?&()\[\]]+(?:@|%40)[^\s@<>\"'=:;,/?&()\[\]]+")


class LineFormatter(logging.Formatter):
    """Put a record on one line, traceback included, and take e-mail addresses out of it.

    A log that is read line by line (by the runner's prefixes, by journald) stays whole, and text
    from outside can't pretend to be a record of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        text = super().format(record).replace("\r", "").replace("\n", " ⏎ ")
        return EMAIL.sub("<address>", text)
