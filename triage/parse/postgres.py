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
    "FATAL": ("FATAL", "FATALT", "ФАТАЛЬНО", "致命错误", "ВАЖНО", "FATALE", "치명적오류"),
    "ERROR": ("ERROR", "FEL", "ПОМИЛКА", "FEHLER", "错误", "ERREUR", "ОШИБКА", "ERRORE", "ERRO", "BŁĄD", "오류", "エラー", "HATA"),
    "WARNING": ("WARNING", "VARNING", "ПОПЕРЕДЖЕННЯ", "WARNUNG", "警告", "ATTENTION", "ADVERTENCIA", "ПРЕДУПРЕЖДЕНИЕ", "ATTENZIONE", "AVISO",
                "OSTRZEŻENIE", "경고"),
    "NOTICE": ("NOTICE", "NOTIS", "ПОВІДОМЛЕННЯ", "HINWEIS", "注意", "ЗАМЕЧАНИЕ", "NOTIFICA", "NOTA", "UWAGA", "알림"),
    "INFO": ("INFO", "信息", "ИНФОРМАЦИЯ", "INFORMACJA", "정보"),
    "LOG": ("LOG", "LOGG", "ЗАПИСУВАННЯ", "日志", "СООБЩЕНИЕ", "DZIENNIK", "로그"),
    "DEBUG": ("DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "调试", "ОТЛАДКА"),
}  # fmt: skip
# Words that go on with the record of the same process, by the attribute they fill.
CONTINUATIONS: dict[str, tuple[str, ...]] = {
    "detail": ("DETAIL", "DETALJ", "ВІДОМОСТІ", "详细信息", "DÉTAIL", "DETALLE", "ПОДРОБНОСТИ", "DETTAGLI", "DETALHE", "SZCZEGÓŁY", "詳細", "상세정보"),
    "hint": ("HINT", "TIPS", "УКАЗІВКА", "TIPP", "提示", "ASTUCE", "SUGERENCIA", "HINT", "ПОДСКАЗКА", "SUGGERIMENTO", "DICA", "ヒント", "힌트"),
    "context": ("CONTEXT", "KONTEXT", "文脈", "내용", "КОНТЕКСТ", "ZUSAMMENHANG", "上下文", "背景", "CONTEXTE", "CONTEXTO", "КОНТЕКСТ", "CONTESTO", "コンテキスト"),
    "statement": ("STATEMENT", "SATS", "文", "명령 구문", "구문", "ІНСТРУКЦІЯ", "ANWEISUNG", "语句", "INSTRUCTION", "SENTENCIA", "ОПЕРАТОР", "ISTRUZIONE", "COMANDO", "ステートメント", "문장"),
    "query": ("QUERY", "FRÅGA", "쿼리", "ЗАПИТ", "ANFRAGE", "查询", "REQUÊTE", "CONSULTA", "ЗАПРОС", "問い合わせ"),
    "location": ("LOCATION", "PLATS", "위치", "РОЗТАШУВАННЯ", "ORT", "位置", "EMPLACEMENT", "UBICACIÓN", "ПОЛОЖЕНИЕ", "POSIZIONE", "LOCALIZAÇÃO", "場所"),
    "backtrace": ("BACKTRACE", "PILE D'APPEL", "バックトレース"),
}  # fmt: skip
ENGLISH = {word: english for english, words in SEVERITIES.items() for word in words if word != english}
CONTINUES = {word: name for name, words in CONTINUATIONS.items() for word in words}

# Words that other programs print too.
_SHARED = {"PANIC", "FATAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG", "CONTEXT", "QUERY", "注意", "警告", "错误"}


def _either(words: set[str]) -> str:
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


_ALL = {*(word for words in SEVERITIES.values() for word in words), *CONTINUES}
_WORDS = _either(_ALL)
WORD = rf"(?P<level>{_WORDS}) ?:(?:  ?|$)"  # the French translation has a space before some colons
_OWN_WORD = rf"(?P<level>{_either(_ALL - _SHARED)}) ?:(?:  ?|$)"
_SHARED_WORD = rf"(?P<level>{_either(_SHARED)}):(?:  |$)"  # the server always prints two spaces
# What %t and %m print: a space between date and time, a point, and always a zone.
_TIME = r"(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(?P<frac>\d{1,6}))?"
_ZONE = r" (?P<zone>[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?|<?[+-]\d\d>?)"
_STAMP = r"(?:\d{1,8}-)?[\[(<]? ?(?:" + _TIME + _ZONE + r"|(?P<epoch>\d{10}(?:\.\d{1,6})?))"
_ANY = r'[^"{\n]'
_END = r"(?:[\s\]:>,)\-|]|\s\d{1,7})"  # the last may be a line's number
# An application that quotes the server: it has printed a level of its own before.
_QUOTING = (
    r'^[^"{\n]{8,250}?\b(?i:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b(?:[^:\w]|:[^ ]|: [^ ])'
    r'[^"{\n]{0,250}?[\s\]:>,)\-|](?:' + _WORDS + r"):(?:  ?|$)"
)


def _prefixed(name: str, between: str, word: str) -> Layout:
    """A time, a prefix that we do not know, and a severity word."""
    regex = rf"(?P<head>{between}{word})"
    return Layout(f"postgres.{name}", "postgres", regex, tier=1, unless=_QUOTING, tags=frozenset({"postgres", "prefix"}))


def _undated(name: str, prefix: str, word: str) -> Layout:
    """As syslog carries it: `[812] LOG:  …`, `user@db LOG:  …`, `[3-1] user=u,db=d ERROR:  …`."""
    regex = rf"(?P<head>(?P<prefix>(?:{prefix})+:? ?){word})"
    return Layout(f"postgres.{name}", "postgres", regex, clock="none", tier=1, tags=frozenset({"postgres", "prefix"}))


_PROCESS = r" ?\[\d+(?:-\d+)?\][: ]*|[\w.\-]+@[\w.\-]+ "
_PAIRS = (
    r"\[\w+=(?:[^\[\]]|\[[^\[\]]*\])*\]:? " r'|\w+=(?:"[^"]*"|\[[^\]]*\]|[^\s"])* ?'
    r'| ?(?:[a-z0-9]{10} )?\[[A-Z_]{4,}\] +| ?sql_error_code = \w{5} |time_ms = "[^"]*" '
)

LAYOUTS = (
    Layout(
        "postgres.default",
        "postgres",
        # pg_ctl prints points while it waits, and no newline behind them.
        r"(?P<head>(?:(?:waiting for server to [a-z ]{5,9})?\.{1,60}|(?P<client>[0-9a-fA-F]*[.:][0-9a-fA-F.:]+|\[local\])? )?" + _TIME + _ZONE + r" \[(?P<pid>\d+)\] "
        r"(?:(?P<user>[\w.\-]+|\[unknown\])@(?P<db>[\w.\-]+|\[unknown\]) )?" + WORD + ")",
        tags=frozenset({"postgres"}),
    ),
    Layout(
        "postgres.csvlog",
        "postgres",
        f'"?{ISO}(?:{_ZONE})?"?' + r',(?:"(?:[^"]|"")*")?,(?:"(?:[^"]|"")*")?,(?P<pid>\d+),(?:"[^"]*")?,[0-9a-f]+\.[0-9a-f]+,\d+,',
        tags=frozenset({"csvlog"}),
    ),
    _prefixed("any_prefix", rf"{_STAMP}(?P<prefix>{_ANY}{{0,250}}?{_END})", _SHARED_WORD),
    _prefixed("named_prefix", rf"{_STAMP}(?P<prefix>{_ANY}{{0,200}}?[=@]{_ANY}{{0,100}}?{_END})", WORD),
    _prefixed("own_word", rf"(?:\d{{1,8}}-)?[\[(<]? ?(?:{_TIME}|(?P<epoch>\d{{10}}(?:\.\d{{1,6}})?))(?:{_ZONE})?(?P<prefix>{_ANY}{{0,250}}?{_END})", _OWN_WORD),
    _undated("undated", _PROCESS, _SHARED_WORD),
    _undated("undated_own_word", f"{_PROCESS}|{_PAIRS}", _OWN_WORD),
    _undated("undated_pairs", f"(?:{_PROCESS})*(?:{_PAIRS})", WORD),
    Layout(  # what initdb, pg_ctl and the image's script print around the server's own lines
        "postgres.entrypoint",
        "postgres",
        r"(?P<head>)(?:PostgreSQL (?:Database directory appears to contain|init process complete)|The files belonging to this database system"
        r"|This user must also own the server process|The database cluster will be initialized|The default (?:database encoding|text search configuration)"
        r"|Data page checksums are |(?:fixing permissions on existing directory|creating (?:directory|subdirectories|configuration files)"
        r"|selecting (?:default|dynamic) [a-z_ ]+|running bootstrap script|performing post-bootstrap initialization|syncing data to disk) [^\n]*\.\.\. "
        r"|initdb: |Success\. You can now start the database server|/usr/local/bin/docker-e[a-z\-]+\.sh: |waiting for server to (?:start|shut down|promote)"
        r"|server (?:started|stopped|promoting)$)",
        clock="none",
        single=True,
        tier=3,
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
