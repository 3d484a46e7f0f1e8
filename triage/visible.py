"""Log text as it may be shown to a person: what could reorder, hide or command is made visible."""

from __future__ import annotations

# Control characters, marks of reading direction, joiners: shown as a picture of themselves. Tab and newline stay.
INVISIBLE = {
    **{code: chr(0x2400 + code) for code in range(32) if code not in (9, 10)},
    127: "\u2421",
    **{
        code: f"⟨U+{code:04X}⟩"
        for code in (
            *range(0x80, 0xA0), 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
            *range(0x2060, 0x2070), 0xFEFF,
        )
    },
}  # fmt: skip


def visible(text: str) -> str:
    """The text, inert in a terminal and on a page."""
    return text if text.isprintable() else text.translate(INVISIBLE)  # hardly any text has one
