"""Joins templates that differ in a word which is a variable too: a table of fingerprints that grows and never renames.

Masking looks at one message; that `user bob logged in` and `user eve logged in` are one event only shows when both have
been seen. `grow` adds new templates to a table: a template joins the group whose words it shares, else it founds one.
A fingerprint keeps the group it was first given, whatever comes later, so stored counts stay comparable. Within one
call the result does not depend on the order of the templates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from triage.classify.template import MASK

LEAST_SHARED = 0.5  # of the words of two templates of one group, those that are equal and no mask
LEAST_VARIANTS = 3  # a lone differing word is a variable once it has this many values, of which some hold no digits
_LONGEST = 60  # words; longer templates (statements, dumps) are compared as they are


@dataclass(frozen=True, slots=True)
class Entry:
    """A fingerprint's template and the group that it belongs to; a group is named by its founder's fingerprint."""

    fingerprint: int
    template: str
    group: int


def grow(known: Iterable[Entry], new: Mapping[int, str]) -> tuple[Entry, ...]:
    """The known entries, unchanged, and one for each new fingerprint."""
    table = list(known)
    have = {entry.fingerprint for entry in table}
    added = {f: t for f, t in new.items() if f not in have}
    shapes: dict[tuple[object, ...], list[int]] = defaultdict(list)
    groups = {entry.fingerprint: entry.group for entry in table}
    words = {entry.fingerprint: entry.template.split() for entry in table}
    for fingerprint, template in sorted(added.items(), key=lambda item: (item[1], item[0])):
        words[fingerprint] = template.split()
    for fingerprint in [*(e.fingerprint for e in table), *sorted(added, key=lambda f: (added[f], f))]:
        shapes[_shape(words[fingerprint])].append(fingerprint)
    for members in shapes.values():
        _join(members, words, groups)
    return (*table, *(Entry(f, t, groups.get(f, f)) for f, t in sorted(added.items())))


def _shape(words: Sequence[str]) -> tuple[object, ...]:
    """What templates of one group must have in common: the number of words, and where masks and punctuation stand."""
    if len(words) > _LONGEST or len(words) < 3:
        return tuple(words)
    return (len(words), words[0] if MASK not in words[0] else MASK, tuple(i for i, w in enumerate(words) if MASK in w))


def _join(members: Sequence[int], words: Mapping[int, Sequence[str]], groups: dict[int, int]) -> None:
    """Give a group to every member of one shape: those that differ in one place only, if it has enough variants."""
    places: dict[tuple[int, tuple[str, ...]], list[int]] = defaultdict(list)
    for member in members:
        own = words[member]
        if len(own) < 3:
            continue
        for place in range(1, len(own)):
            if MASK not in own[place]:
                rest = (*own[:place], "", *own[place + 1 :])
                places[place, rest].append(member)
    for (_, rest), same in sorted(places.items(), key=lambda item: (-len(item[1]), item[0])):
        constant = sum(1 for w in rest if w and w != MASK)
        if len(same) < LEAST_VARIANTS or constant < LEAST_SHARED * len(rest):
            continue
        taken = [groups[m] for m in same if m in groups]
        group = taken[0] if taken else min(same)
        for member in same:
            groups.setdefault(member, group)
