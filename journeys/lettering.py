"""How wide words are on the map, and where they break."""

from __future__ import annotations

_WIDTHS = {
    **dict.fromkeys("il.,:;|!'’‘jI·", 0.28),
    **dict.fromkeys("tfr()[]/ -", 0.38),
    **dict.fromkeys("mwMW@%—…", 0.9),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ“”&", 0.73),
    **dict.fromkeys("0123456789_+=", 0.65),
}


def text_width(text: str, size: float) -> float:
    """About how wide ``text`` is in the admin's font, rather more than less."""
    return size * sum(_WIDTHS.get(one, 0.6) for one in text)


def wrapped(text: str, width: float, size: float) -> list[str]:
    """``text`` broken into lines that fit; words that are too long are broken too."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        for part in _parts(word, width, size):
            longer = f"{line} {part}" if line else part
            if line and text_width(longer, size) > width:
                lines.append(line)
                line = part
            else:
                line = longer
    return [*lines, line] if line else lines or [""]


def _parts(word: str, width: float, size: float) -> list[str]:
    parts, part = [], ""
    for one in word:
        if part and text_width(part + one, size) > width:
            parts.append(part)
            part = ""
        part += one
    return [*parts, part]
