"""Reading ahead: batches are read in a thread of their own, and handed out together while they are small."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import polars as pl

from triage.schema import Batch

_TOGETHER_BYTES = 8 << 20  # of batches that are cut together, and of those read before they are needed; at least one
_GATHER_S = 1.0  # small batches wait so long for others: a cut costs the same for one and for a hundred
_TICK_S = 0.2


def ahead(batches: Iterable[Batch], tick: Callable[[], None]) -> Iterator[Sequence[Batch]]:
    """The batches in groups, read in a thread of their own; `tick` is called while there is nothing to do."""
    ready = _Ready()
    threading.Thread(target=ready.fill, args=[batches], name="triage-collect", daemon=True).start()
    try:
        while (group := ready.take(_TICK_S)) is not None:
            if group:
                yield group
            else:
                tick()
    finally:
        ready.end()


def text_bytes(text: pl.Series) -> int:
    """How many bytes the texts have."""
    return int(text.str.len_bytes().sum())


class _Ready:
    """Batches that were read and wait to be cut: at least one, and more while they are small."""

    def __init__(self) -> None:
        self._batches: deque[tuple[Batch, int, float]] = deque()  # and the bytes of its lines, and when it came
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._ended = False

    def fill(self, batches: Iterable[Batch]) -> None:
        """Read ahead, and pass on how reading ended."""
        try:
            for batch in batches:
                size = text_bytes(batch.lines["text"])
                with self._changed:
                    self._changed.wait_for(lambda: self._ended or self._bytes() < _TOGETHER_BYTES)
                    if self._ended:
                        return
                    self._batches.append((batch, size, time.monotonic()))
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where the batches are used
            self._failure = error
        self.end()

    def take(self, timeout_s: float) -> list[Batch] | None:
        """What is ready, of each origin one and not much together; nothing after the timeout, None at the end."""
        with self._changed:
            if not self._changed.wait_for(self._enough, timeout_s) and not self._waited():
                return []
            taken: dict[str, Batch] = {}
            total = 0
            while self._batches and self._batches[0][0].origin not in taken and total < _TOGETHER_BYTES:
                batch, size, _ = self._batches.popleft()
                taken[batch.origin] = batch
                total += size
            self._changed.notify_all()
            if not taken and self._ended:
                if self._failure is not None:
                    raise self._failure
                return None
            return list(taken.values())

    def _enough(self) -> bool:
        """Nothing more would come into a group."""
        return self._ended or self._bytes() >= _TOGETHER_BYTES or len({b.origin for b, *_ in self._batches}) < len(self._batches)

    def _waited(self) -> bool:
        return bool(self._batches) and time.monotonic() - self._batches[0][2] >= _GATHER_S

    def _bytes(self) -> int:
        return sum(size for _, size, _ in self._batches)

    def end(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
