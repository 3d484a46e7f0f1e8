"""Which containers are meant, and how failures of the state's collectors are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from triage.collect.docker import Container, choose


@dataclass(frozen=True, slots=True)
class Selection:
    """The containers of a run, as given on the command line; none given: all."""

    names: Sequence[str] = ()
    project: str | None = None
    labels: Sequence[str] = ()

    def of(self, containers: Sequence[Container]) -> list[Container]:
        return choose(containers, self.names, self.project, self.labels)

    @property
    def key(self) -> str:
        """Short and the same for equal selections: each has a cursor of its own."""
        given = repr((sorted(self.names), self.project, sorted(self.labels)))
        return blake2b(given.encode(), digest_size=4).hexdigest()
