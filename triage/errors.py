"""The errors a user can cause or meet. Each says what happened, where, and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes that scripts may rely on."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130


class TriageError(Exception):
    """A failure with a cause the user can act on: `message` (what), `where` (file:line, URL…), `hint` (next step)."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class UsageError(TriageError):
    """The command line, a settings file, a pattern or an input file is not as it must be."""


class PatternError(UsageError):
    """A pattern file is malformed; `where` is `file:line`."""


class UnavailableError(TriageError):
    """A source (engine, container, file) or the lake cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE
