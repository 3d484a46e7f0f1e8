"""What the project's regexes mean, for layouts and patterns alike."""

from __future__ import annotations


def ascii_classes(regex: str) -> str:
    """Spell `\\d` and `\\w` out: the Unicode classes make the automaton hundreds of times larger."""
    out, inside, index = [], False, 0
    while index < len(regex):
        char = regex[index]
        if char == "\\":
            pair = regex[index : index + 2]
            spelled = {"\\d": "0-9", "\\w": "0-9A-Za-z_"}.get(pair)
            out.append(pair if spelled is None else spelled if inside else f"[{spelled}]")
            index += 2
            continue
        if char == "[" and not inside:
            inside = True
        elif char == "]" and inside and regex[index - 1] != "[" and regex[index - 2 : index] != "[^":
            inside = False
        out.append(char)
        index += 1
    return "".join(out)


def by_line(regex: str) -> str:
    """A pattern's regex as it is run: `^` and `$` at every line, ASCII classes."""
    return f"(?m){ascii_classes(regex)}"
