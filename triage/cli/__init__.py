"""The command line: commands parse options, call one function, and print. Exit codes are in `errors.ExitCode`."""

from __future__ import annotations

import os
import signal
import sys
import threading

import typer

from triage.cli.app import app
from triage.console import Console
from triage.errors import ExitCode, TriageError

# Modules that register their commands; heavy imports wait inside the commands.
from triage.cli import collecting, lake, metrics, patterns, reading, snapshots  # noqa: F401  isort: skip

__all__ = ["app", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Run, and end the process with the right code; no traceback reaches a user unless --verbose asks for it."""
    os.umask(0o077)  # log text is for the one who collects it
    _end_at_the_third_interrupt()
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    console = Console()
    try:
        code = app(arguments, prog_name="triage", standalone_mode=False)
        return int(code or 0)
    except TriageError as error:
        console.error(error)
        return error.exit_code
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # native code's own class
            raise
        if callable(show := getattr(error, "show", None)):  # a mistake on the command line
            show()
            return ExitCode.USAGE
        arguments = sys.argv[1:] if arguments is None else arguments
        if "--verbose" in arguments or "-v" in arguments:
            raise
        told = f"unexpected failure, a bug in triage: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        console.error(TriageError(told, hint="run it again with --verbose and report what it prints"))
        return ExitCode.UNAVAILABLE


def _end_at_the_third_interrupt() -> None:
    """Python hears Ctrl-C only between steps of native code; a query engine that hangs must not take a terminal with it."""
    heard, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def watch() -> None:
        interrupts = 0
        while number := os.read(heard, 1):
            interrupts += number[0] == signal.SIGINT
            if interrupts == 3:
                os._exit(ExitCode.INTERRUPTED)

    threading.Thread(target=watch, name="triage-interrupts", daemon=True).start()


def stop_on_sigterm() -> None:
    """SIGTERM ends a run like Ctrl-C: what is gathered is stored first."""
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
