"""Runbooks: `patterns/runbooks/<problem>.<lang>.md`, with the window's own names in place of the guide's placeholders.

Markdown is rendered with raw HTML off, and links only as text: what a runbook says is data like everything else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from markdown_it import MarkdownIt
from markupsafe import Markup

from triage.report.parts import Problem, Runbook

_PLACEHOLDER = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}|<([a-z_]+)>|\byour_([a-z_]+)\b|(?<![{$])\{([a-z_]+)\}")
_SAFE_VALUE = re.compile(r"[A-Za-z0-9._:@/+-]{1,200}")
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable(["image", "autolink"])


def load(problem: Problem | None, values: Mapping[str, str]) -> Runbook | None:
    """The problem's runbook, filled in; None where there is none."""
    if problem is None or problem.runbook is None:
        return None
    markdown = fill(problem.runbook.read_text(encoding="utf-8"), values)
    return Runbook(problem.problem, _MARKDOWN.render(markdown), markdown)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Known placeholders get their value; a value that a shell could take for more than a word never does.

    The values come from logs, which strangers write: a job id of `x; rm -rf /` must not reach a copy button.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3] or found[4]
        text = values.get(name)
        return text if text is not None and _SAFE_VALUE.fullmatch(text) and shlex.quote(text) == text else found[0]

    return _PLACEHOLDER.sub(value, text)


def with_copy_buttons(html: str, label: str) -> Markup:
    """Rendered Markdown with a copy button on each block of code. `html` is our renderer's output, never a log's."""
    button = Markup('<button type="button" class="copy js">{}</button>').format(label)
    html = re.sub(r"<pre>", f'<div class="code">{button}<pre tabindex="0">', html)
    html = html.replace("</pre>", "</pre></div>")
    # The card stands under an h3 already.
    return Markup(re.sub(r"<(/?)h[1-6]>", r"<\1h4>", html))


def meaning(problem: Problem) -> Markup:
    """What a problem means: the first paragraph of its runbook; empty where there is none."""
    if problem.runbook is None:
        return Markup("")
    first = problem.runbook.read_text(encoding="utf-8").strip().split("\n\n")[0]
    joined = re.sub(r"(?<=[^\x00-\x7f])\n(?=[^\x00-\x7f])", "", first)  # lines of Chinese join without a space
    return Markup("" if first.startswith("#") else _MARKDOWN.renderInline(joined))


def commands(markdown: str) -> list[str]:
    """The headings of the runbook's steps, as proposals for action items."""
    return [line.lstrip("#- ").strip() for line in markdown.splitlines() if re.match(r"#{2,4} |\s*- ", line)]
