"""Postgres on stderr, with any `log_line_prefix` that starts with a time or names a process; csvlog.

`%m [%p] ` and `%m [%p] user@db ` have a layout of their own because they are the common case; the other recognises
a time, then anything, then a severity word and two spaces, and reads the anything afterwards (`prefix_fields`).
Severity words are those of the server's own translations, since `lc_messages` changes them.
"""

from __future__ import annotations

import re

from triage.parse.layout import ISO, Layout

# Words that open a record, by their English meaning.
SEVERITIES: dict[str, tuple[str, ...]] = {
    "PANIC": ("PANIC", "PANIK", "PÁNICO", "比致命错误还过分的错误", "ПАНИКА", "PANICO"),
    "FATAL": ("FATAL", "致命错误", "ВАЖНО", "FATALE", "치명적오류"),
    "ERROR": ("ERROR", "FEHLER", "错误", "ERREUR", "ОШИБКА", "ERRORE", "ERRO", "BŁĄD", "오류", "エラー"),
    "WARNING": ("WARNING", "WARNUNG", "警告", "ATTENTION", "ADVERTENCIA", "ПРЕДУПРЕЖДЕНИЕ", "ATTENZIONE", "AVISO",
                "OSTRZEŻENIE", "경고"),
    "NOTICE": ("NOTICE", "HINWEIS", "注意", "ЗАМЕЧАНИЕ", "NOTIFICA", "NOTA", "UWAGA", "알림"),
    "INFO": ("INFO", "信息", "ИНФОРМАЦИЯ", "INFORMACJA", "정보"),
    "LOG": ("LOG", "日志", "СООБЩЕНИЕ", "DZIENNIK", "로그"),
    "DEBUG": ("DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "调试", "ОТЛАДКА"),
}  # fmt: skip
# Words that go on with the record of the same process, by the attribute they fill.
CONTINUATIONS: dict[str, tuple[str, ...]] = {
    "detail": ("DETAIL", "详细信息", "DÉTAIL", "DETALLE", "ПОДРОБНОСТИ", "DETTAGLI", "DETALHE", "SZCZEGÓŁY", "詳細", "상세정보"),
    "hint": ("HINT", "TIPP", "提示", "ASTUCE", "SUGERENCIA", "HINT", "ПОДСКАЗКА", "SUGGERIMENTO", "DICA", "ヒント", "힌트"),
    "context": ("CONTEXT", "ZUSAMMENHANG", "上下文", "背景", "CONTEXTE", "CONTEXTO", "КОНТЕКСТ", "CONTESTO", "コンテキスト"),
    "statement": ("STATEMENT", "ANWEISUNG", "语句", "INSTRUCTION", "SENTENCIA", "ОПЕРАТОР", "ISTRUZIONE", "COMANDO", "ステートメント", "문장"),
    "query": ("QUERY", "ANFRAGE", "查询", "REQUÊTE", "CONSULTA", "ЗАПРОС", "問い合わせ"),
    "location": ("LOCATION", "ORT", "位置", "EMPLACEMENT", "UBICACIÓN", "ПОЛОЖЕНИЕ", "POSIZIONE", "LOCALIZAÇÃO", "場所"),
    "backtrace": ("BACKTRACE", "BACKTRACE"),
}  # fmt: skip
ENGLISH = {word: english for english, words in SEVERITIES.items() for word in words if word != english}
CONTINUES = {word: name for name, words in CONTINUATIONS.items() for word in words}

_WORDS = "|".join(
    sorted({*(w for ws in SEVERITIES.values() for w in ws), *CONTINUES}, key=lambda word: (-len(word), word))
)
WORD = r"(?P<level>" + _WORDS + r"):(?:  ?|$)"
_ZONE = r"(?: (?P<zone>[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?|<?[+-]\d\d>?))?"

LAYOUTS = (
    Layout(
        "postgres.default",
        "postgres",
        r"(?P<head>" + ISO + _ZONE + r" \[(?P<pid>\d+)\] "
        r"(?:(?P<user>[\w.\-]+|\[unknown\])@(?P<db>[\w.\-]+|\[unknown\]) )?" + WORD + ")",
        tags=frozenset({"postgres"}),
    ),
    Layout(
        "postgres.csvlog",
        "postgres",
        ISO + _ZONE + r',(?:"(?:[^"]|"")*")?,(?:"(?:[^"]|"")*")?,(?P<pid>\d+),(?:"[^"]*")?,[0-9a-f]+\.[0-9a-f]+,\d+,',
        tags=frozenset({"csvlog"}),
    ),
    Layout(
        "postgres.any_prefix",
        "postgres",
        r"(?P<head>(?:[\[(<]? ?(?:" + ISO + r"|(?P<epoch>\d{10}(?:\.\d{1,6})?))" + _ZONE + r"(?P<prefix>[^\"{\n]{0,250}?[\s\]:>,)\-|]))" + WORD + ")",
        tier=1,
        # An application that quotes the server: it has printed a level of its own before.
        unless=r'^[^"{\n]{8,250}?\b(?i:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b(?:[^:\w]|:[^ ]|: [^ ])'
        r'[^"{\n]{0,250}?[\s\]:>,)\-|](?:' + _WORDS + r"):(?:  ?|$)",
        tags=frozenset({"postgres", "prefix"}),
    ),
    Layout(  # without a time: `[812] LOG:  …`, `user@db LOG:  …`, `[3-1] user=u,db=d ERROR:  …` as syslog carries it
        "postgres.undated",
        "postgres",
        r"(?P<head>(?P<prefix>(?:\[\d+(?:-\d+)?\][: ]*|[\w.\-]+@[\w.\-]+ |\w+=[^\s]* ?|\[[A-Z_]{4,}\] +|sql_error_code = \w{5} )+:? ?)" + WORD + ")",
        clock="none",
        tier=1,
        tags=frozenset({"postgres", "prefix"}),
    ),
    Layout(
        "postgres.bare",
        "postgres",
        r"(?P<head>(?P<level>LOG|DETAIL|HINT|STATEMENT|QUERY|CONTEXT|LOCATION|FATAL|PANIC|ERROR|NOTICE|FEHLER|错误|致命错误|日志|详细信息|语句|提示|上下文):  )[^ ]",
        clock="none",
        tier=1,
        tags=frozenset({"postgres", "weak"}),
    ),
)

# `log_line_prefix` escapes, for --prefix.
_ESCAPES = {
    "a": r"(?P<app>.*?)", "u": r"(?P<user>[^\s@,:|\]]*)", "d": r"(?P<db>[^\s@,:|\]]*)", "r": r"(?P<client>\S*?)",
    "h": r"(?P<client>[^\s,|\]]*)", "L": r"\S*?", "b": r"(?P<backend>[\w ]*?)", "p": r"(?P<pid>\d+)", "P": r"\d*",
    "t": r"(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?P<zone>[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?)",
    "m": r"(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(?P<frac>\d{3}) (?P<zone>[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?)",
    "n": r"(?P<epoch>\d{10}\.\d{3})", "i": r"(?P<command>[\w ]*?)", "e": r"(?P<sqlstate>[0-9A-Z]{5})",
    "c": r"(?P<session>[0-9a-f]+\.[0-9a-f]+)", "l": r"\d+", "s": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z+\-\d:]+",
    "v": r"[\d/]*", "x": r"\d+", "Q": r"-?\d+", "q": "", "%": "%",
}  # fmt: skip


def layout_of_prefix(prefix: str) -> Layout:
    """The layout of a server whose `log_line_prefix` is known; after `%q` everything is optional."""
    seen: set[str] = set()
    before, _, after = prefix.partition("%q")

    def translate(text: str) -> str:
        out = ""
        for part in re.split(r"(%-?\d*[a-zA-Z%])", text):
            if part.startswith("%") and len(part) > 1:
                piece = _ESCAPES.get(part[-1], r"\S*")
                name = re.match(r"\(\?P<(\w+)>", piece)
                if name and name[1] in seen:
                    piece = re.sub(r"\(\?P<\w+>", "(?:", piece)
                elif name:
                    seen.update(re.findall(r"\(\?P<(\w+)>", piece))
                out += r" *" + piece + " *" if any(c.isdigit() for c in part) else piece
            else:
                out += re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", part)
        return out

    regex = translate(before) + (f"(?:{translate(after)})?" if after else "")
    clock = "iso" if {"ts"} & seen else "none"
    return Layout("postgres.prefix", "postgres", f"(?P<head>{regex}{WORD})", tier=-1, clock=clock, tags=frozenset({"postgres"}))
