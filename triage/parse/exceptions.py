"""The exception of a traceback: what was finally raised, what was its root, with full names as printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_NAME = r"[A-Za-z_][\w.]*(?:\.<locals>\.[\w.]+)*"
_START = re.compile(r"^[ |+]*(?:Exception Group )?Traceback \(most recent call last\):", re.M)
_FINAL = re.compile(rf"^(?P<bar>[ |]*)(?P<type>{_NAME})(?::(?: (?P<message>.*))?)?$")
_LEAF = re.compile(rf"^ *\| (?P<type>{_NAME})(?::(?: .*)?)?$", re.M)
_CHAIN = re.compile(r"^(?:The above exception was the direct cause|During handling of the above exception)", re.M)
_QUOTED = re.compile(r'^"""\n(.*?)^"""$', re.M | re.S)
_WRAPPERS = frozenset({"billiard.einfo.ExceptionWithTraceback", "billiard.einfo.RemoteTraceback",
                       "concurrent.futures.process._RemoteTraceback", "multiprocessing.pool.RemoteTraceback"})  # fmt: skip
_FRAME = re.compile(r'^[ |>]*(?:File ".*", line \d+|└|│|\^|~)')


@dataclass(frozen=True, slots=True)
class Raised:
    """The exception at the end of a traceback, and the first of its chain where that is another one."""

    type: str | None
    message: str | None
    root: str | None


def raised(text: str) -> Raised | None:
    """Read the last traceback of a text; None where no exception line follows the frames."""
    inner = _QUOTED.search(text)
    quoted = _last(inner[1]) if inner else None
    flat = _QUOTED.sub("", text) if inner else text
    found = _last(flat)
    if found is None or (quoted is not None and found[0] in _WRAPPERS):
        found = quoted or found
    if found is None:
        return None
    first = _root(flat)
    if first in _WRAPPERS or (first == found[0] and quoted is not None):
        first = quoted[0] if quoted is not None else None
    return Raised(found[0], found[1], first if first != found[0] else None)


def _blocks(text: str) -> list[str]:
    starts = [match.start() for match in _START.finditer(text)]
    return [text[low:high] for low, high in pairwise([*starts, len(text)])]


def _last(text: str) -> tuple[str, str | None] | None:
    blocks = _blocks(text)
    group = next((n for n, block in enumerate(blocks) if "Exception Group Traceback" in block.split("\n", 1)[0]), None)
    # What stands at the left margin after a group was raised while it was handled; what is indented is inside it.
    if group is not None and not any(block.startswith("Traceback") for block in blocks[group + 1 :]):
        return _final(blocks[group])
    for block in reversed(blocks):
        found = _final(block)
        if found is not None:
            return found
    return None


def _root(text: str) -> str | None:
    blocks = _blocks(text)
    if not blocks:
        return None
    if len(blocks) > 1 and _CHAIN.search(text):
        found = _final(blocks[0])
        return found[0] if found else None
    if "Exception Group" in blocks[0].split("\n", 1)[0]:
        named = [match["type"] for match in _LEAF.finditer(blocks[0]) if not match["type"].endswith("Group")]
        return named[0] if named else None
    return None


def _final(block: str) -> tuple[str, str | None] | None:
    """The first line after the frames that stands at the depth of the traceback's own first line."""
    lines = block.split("\n")
    depth = re.match(r"[ |+]*", lines[0])
    margin = depth[0].replace("+", "|") if depth else ""
    bare = margin.replace(" ", "")
    for index, line in enumerate(lines[1:], 1):
        plain = line
        if bare:
            stripped = line.lstrip(" |") if line.strip(" ").startswith("|") else None
            if stripped is None:
                continue
            after = line[line.index("|") + 2 :] if line.count("|") == 1 else stripped
            plain = after
        if not plain or plain[0] in " \t+|>^~":
            continue
        found = _FINAL.match(plain)
        if found and not _FRAME.match(line):
            return found["type"], _message(found["message"], lines[index + 1 :], bool(bare))
        if _CHAIN.match(plain):
            return None
    return None


def _message(first: str | None, rest: list[str], grouped: bool) -> str | None:
    """The text after the type, with the lines of a message of several lines."""
    parts = [first or ""]
    if not grouped:
        for line in rest:
            if _CHAIN.match(line) or line.startswith(("Traceback (most recent", '"""')):
                break
            parts.append(line)
    return "\n".join(parts).strip() or None
