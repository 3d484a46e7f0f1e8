"""The help of a group of commands: each panel of them apart, each command's first sentence whole.

Typer's own would import a library of 60 modules to draw frames, half of the time that `triage --help` takes.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Panels(TyperGroup):
    """A group whose commands are listed by their `rich_help_panel`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            told = " ".join((command.help or "").split("\n\n")[0].split())
            panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, told))
        widest = max(map(len, self.commands))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(widest), told) for name, told in rows])
