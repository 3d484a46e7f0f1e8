"""What a container was told to run: the words of its command line, with those of its shell's script, and its environment.

From it comes how a program in it is reached: its port, socket, role, application. Secrets in it are used, never stored.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Template
from typing import Any

_SHELLS = frozenset({"ash", "bash", "busybox", "dash", "sh"})
_ENDS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "2>&1"})
_NESTED = 4


@dataclass(frozen=True, slots=True)
class Process:
    """The command and the environment of one container."""

    image: str
    words: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def repository(self) -> str:
        """The last part of the image's name, without its tag."""
        return re.sub(r"(@sha256:.*|:[^/:]*)$", "", self.image).rsplit("/", 1)[-1]

    def place(self, *programs: str) -> int | None:
        """Where one of these programs is started among the words; a word behind an option is its value, not a program."""
        found = None
        for at, word in enumerate(self.words):
            before = self.words[at - 1] if at else ""
            if PurePosixPath(word).name in programs and (not before.startswith("-") or before in ("-m", "--")):
                found = at
        return found

    def arguments(self, *programs: str) -> tuple[str, ...]:
        """The words behind the program, up to the end of its command."""
        at = self.place(*programs)
        if at is None:
            return ()
        behind = self.words[at + 1 :]
        return behind[: next((n for n, word in enumerate(behind) if word in _ENDS), len(behind))]

    def option(self, programs: Sequence[str], *names: str) -> str | None:
        """The value of an option, as `-p 5`, `-p5`, `--port 5`, `--port=5`, or of a setting: `-c port=5`."""
        words = self.arguments(*programs)
        found = None
        for at, word in enumerate(words):
            for name in names:
                joined = name if name.startswith("-") and not name.startswith("--") else f"{name}="
                if word == name and at + 1 < len(words):
                    found = words[at + 1]
                elif word != name and word.startswith(joined):
                    found = word[len(joined) :]
        return found or None


def described(answer: Mapping[str, Any]) -> Process:
    """The process of a container from the engine's description of it."""
    config = answer.get("Config") or {}
    pairs = (entry.partition("=") for entry in config.get("Env") or ())
    environment = {name: value for name, _, value in pairs}
    argv = [str(answer.get("Path") or ""), *map(str, answer.get("Args") or ())]
    return Process(str(config.get("Image") or ""), tuple(_flat(argv, environment, _NESTED)), environment)


def _flat(argv: Sequence[str], environment: Mapping[str, str], depth: int) -> list[str]:
    """The words, where a shell's script stands for its own words."""
    words: list[str] = []
    for at, word in enumerate(argv):
        option = argv[at - 1] if at else ""
        shell = PurePosixPath(argv[at - 2]).name if at > 1 else ""
        if depth and shell in _SHELLS and re.fullmatch(r"-[a-z]*c", option):
            words += _flat(_split(Template(word).safe_substitute(environment)), environment, depth - 1)
        else:
            words.append(word)
    return words


def _split(script: str) -> list[str]:
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an open quotation mark
        return script.split()
