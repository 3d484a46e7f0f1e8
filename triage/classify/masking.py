"""Masks the variables of a message by their types, whatever program wrote it: no state, no list of known messages.

The rules run in order, each on what those before it have left. Their work is done once for each distinct *shape* of a
message: digits and hexadecimal are folded first, in one cheap pass, so a million lines that differ by numbers cost what
a few hundred cost.
"""

from __future__ import annotations

import polars as pl

MASK = "<*>"
LONGEST = 1500  # characters of a message that take part

_KEEP = "\x01"  # stands for the digits of a name such as psycopg2 while numbers are masked
_EQUALS = "\x02"  # stands for an equals sign whose value stays
# Names whose digit is part of the name; folding has made it a 0.
_DIGIT_NAMES = {
    "psycopg": "2", "urllib": "3", "boto": "3", "jinja": "2", "oauth": "2", "OAuth": "2", "neo": "4", "log": "4",
    "md": "5", "base": "64", "utf-": "8", "UTF-": "8", "ec": "2", "s": "3",
}  # fmt: skip
_STATUS = {str(d): chr(0x245F + d) for d in range(1, 6)}  # ① … keep the class of an HTTP status through the folding
_HTTP_STATUS = r'HTTP/[0-9.]+\\*"? {}[0-9][0-9](?-u:\b)'
_FOLDED_STATUS = r'(HTTP/0(?:\.0)?\\*"? )0\b'
# Folded before the rules run, so that they run on a few hundred shapes and not on every message: UUIDs, MAC addresses,
# hex digests and other runs of digits. One regex, since each match costs.
FOLDED = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:[0-9a-fA-F]{2}:){5,}[0-9a-fA-F]{2}\b"
    r"|\b(?:[a-f]{0,8}[0-9]+){2,}[a-f]{0,8}\b|[0-9]+"
)

Rules = tuple[tuple[str, str], ...]
_WORD = r"[A-Za-z0-9_.@/%+~-]"
_NAME = r"[A-Za-z0-9_#][A-Za-z0-9_.#$-]*"
_END = r"([^A-Za-z0-9_.-]|\.(?:[^A-Za-z0-9_]|$)|$)"  # where a dotted name ends: group 1 is what follows
_TLD = "com|net|org|edu|gov|mil|info|biz|cn|io|de|uk|jp|ru|fr|eu|dev|local|localdomain|internal|lan|svc|cluster|arpa"
_COUNTRY = (
    "ar|at|au|bg|br|ca|ch|cl|cn|co|cz|de|dk|ee|es|eu|fi|fr|gr|hk|hr|hu|ie|il|in|ir|it|jp|kr|kz|lt|lv|mx|my|nl|nz|om|pe|pk|"
    "pt|ro|ru|sa|se|sg|si|sk|th|tr|tw|ua|uk|us|uy|vn|za"
)
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?"
_MONTH = (
    "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|"
    "Nov(?:ember)?|Dec(?:ember)?)"
)
_QUOTED = (
    r'"(?:[^"\\]|\\.)*"|(^|[\s=:(\[{,])b?\'(?:[^\'\\]|\\.)*\'|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》|`[^`]*`'
)
_SPACE: Rules = (
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),
    (r"[\s\x00]+", " "),
)
# Text that marks itself as a value.
_LITERALS: Rules = (
    (r"(?i)\[redacted:[a-z_]+:[0-9a-f]{1,6}\]", MASK),
    (r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>,;)\]}]+", MASK),
    (r"([A-Za-z_ ])\.{3,}(?:0x)?0\b", f"${{1}}... {MASK}"),  # dot leaders of aligned output
    (r'"?\b([A-Z]{3,7}) \S+ HTTP/0(?:\.0)?\\*"?', f"${{1}} {MASK} HTTP/{_KEEP}"),
    (r'"HTTP/0(?:\.0)? ([①-⑤])[^"]*"', f"HTTP/{_KEEP} ${{1}}"),
    (_QUOTED, f"${{1}}{MASK}"),
    (r"\b(?:true|false|True|False|TRUE|FALSE)\b", MASK),
    (r"([=|] ?)(?:null|NULL|None|nil|yes|no|Yes|No|YES|NO|on|off|ON|OFF)\b", f"${{1}}{MASK}"),
    (r"(: ?)(?:null|NULL|None|nil|Yes|No|YES|NO)([,;)|\]}]|$)", f"${{1}}{MASK}${{2}}"),
)
# Names of machines, packages, files.
_PLACES: Rules = (
    (r"[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+", MASK),
    (rf"\b(?:[A-Za-z0-9_-]+\.)+(?:{_TLD})(?:\.[a-z]{{2}})?{_END}", f"{MASK}${{1}}"),
    (rf"\b(?:[A-Za-z0-9_-]+\.){{2,}}(?:{_COUNTRY}){_END}", f"{MASK}${{1}}"),
    (r"\b[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)+/[A-Za-z0-9_.$/]+|\b[a-z]+/\.[A-Za-z0-9_.$]+", MASK),  # a component of a package
    (rf"\b(?:com|org|net|edu|gov|cn|de|fr|jp|ru|uk)(?:\.[a-z][a-z0-9_-]*)+{_END}", f"{MASK}${{1}}"),
    (rf"\b({'|'.join(_DIGIT_NAMES)})0(\b|j\b|[_.][A-Za-z])", f"${{1}}{_KEEP}${{2}}"),
    (r"HTTP/0(?:\.0)?", f"HTTP/{_KEEP}"),
    (r"\b[A-Za-z]:\\[^\s,;\"']+", MASK),
    (r"(^|[\s=(:,\[<>])(?:\.{0,2}/[^\s,;:\"'()\[\]{}<>=|]+)+/?", f"${{1}}{MASK}"),
    (r"\b(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*:0", MASK),
)
# Numbers, names with numbers in them, and the value of a key; a state in capitals is none (`state=FAILED`).
_NUMBERS: Rules = (
    (r"\b0(?:::?[0-9a-f]{1,4}\b){2,}", MASK),  # IPv6
    (r"\b[0-9a-fA-F]+(?:-[0-9a-fA-F]+){3,}\b", MASK),
    (r"\b([A-Za-z_]+)0=", "${1}="),  # r24=…, fpr29=…
    (r"( ?)=( ?[A-Z][A-Z_]{2,}\b)", f"${{1}}{_EQUALS}${{2}}"),
    (r"\b([A-Za-z_][A-Za-z0-9_.-]*)=(?:<\*>|[^\s,;&)\]}\"<>{]+)", f"${{1}}={MASK}"),
    (rf"\b([A-Za-z_][A-Za-z0-9_.-]*)( ?)= {_NAME}([,;)\]}}]|$)", f"${{1}}${{2}}= {MASK}${{3}}"),
    (_EQUALS, "="),
    (rf"[-+]?{_WORD}*0(?:{_WORD}|:[A-Za-z0-9_])*%?", MASK),
    *((f"{name}{_KEEP}", f"{name}{digit}") for name, digit in _DIGIT_NAMES.items()),
    (f"HTTP/{_KEEP}", "HTTP"),
    *((mark, f"{digit}xx") for digit, mark in _STATUS.items()),
)
# Brackets: what an object with named fields holds is told by its names, any other one is a value.
_BRACKETS: Rules = (
    *((r"\{[^{}=]*\}", MASK),) * 3,
    (r"\[[^\[\]]*,[^\[\]]*\]", f"[{MASK}]"),
    (r"\((?:<\*>[,;]? ?)+(?:, [A-Za-z_.]+)?\)", f"({MASK})"),
)
# Words that grammar makes a name.
_PEOPLE = "user|username|account|User|Username|Account|USER"
_MACHINES = "host|hostname|node|Host|Node|domain"
_AFTER = r"( (?:by|from|on|at|with|logged|does|is|has|was)\b| ?[.,;:)\[(]|$)"
_SLOTS: Rules = (
    (rf"\b({_PEOPLE})(:?) (?:{_NAME}|<\*>|#<\*>){_AFTER}", f"${{1}}${{2}} {MASK}${{3}}"),
    (rf"\bfor (?:{_NAME}|#<\*>) from <\*>", f"for {MASK} from {MASK}"),
    (rf"\b(failures?|failed|logins?|[Pp]assword|publickey|[Aa]ccess|privileges) for (?:{_NAME}|#<\*>)( ?[.,;:)\[(]| from\b|$)", f"${{1}} for {MASK}${{2}}"),
    (rf"^\((?:{_NAME}|#?<\*>)\) ([A-Z]{{3,}}\b)", f"({MASK}) ${{1}}"),  # cron
    (rf"\b(on|as|by|of) {_NAME}'s\b", f"${{1}} {MASK}'s"),
    (rf"\b({_MACHINES}) {_NAME}( (?:is|was|has|from|at)\b| ?[.,;:)\]]|$)", f"${{1}} {MASK}${{2}}"),
    (rf"\bname (?:{_NAME}|<\*>)([.,;:]|$)", f"name {MASK}${{1}}"),
    (rf"\bname \({_NAME}\)", f"name ({MASK})"),
    (r"\b([Cc]lass|[Ss]ervice|[Pp]ackage|[Mm]odule|[Cc]omponent|broadcast) (?:[A-Za-z_<][A-Za-z0-9_$*>]*\.)+[A-Za-z0-9_$]+", f"${{1}} {MASK}"),
)
# Neighbouring variables are one: how many there are is a value too.
_JOINS: Rules = (
    (r"<\*>(?:(?:, ?|[.:/@#_|=+-])+<\*>)+", MASK),
    (r"<\*>(?:[-.:/@#_]*<\*>)+", MASK),
    (rf"(?:{_DAY} )?\b{_MONTH} <\*>", MASK),
    (rf"\b{_DAY} <\*>", MASK),
    (r"<?<\*> ?(?:[KMGT]i?B|B|k[Bb]|bytes|ms|us|µs|ns|secs?|seconds|minutes|hours)\b", MASK),
    (r"<\*> ?\((?:<\*>)?\)", MASK),
    (r"<\*>(?:\|[^\s|]*)+", MASK),
    (r"<\*>(?:,? <\*>)+", MASK),
)
RULES: Rules = _SPACE + _LITERALS + _PLACES + _NUMBERS + _BRACKETS + _SLOTS + _JOINS


def mask(messages: pl.Series) -> pl.Series:
    """Templates of the messages."""
    shapes = folded(messages)
    return looked_up(shapes, template_table(shapes))["template"]


def template_table(shapes: pl.Series) -> pl.DataFrame:
    """Each distinct shape with its template."""
    distinct = shapes.unique()
    return distinct.to_frame("shape").with_columns(template=_masked(distinct))


def folded(messages: pl.Series) -> pl.Series:
    """The messages folded, with a mark of the status class of access lines: 200 and 500 are two events."""
    heads = messages.str.head(LONGEST)
    shapes = heads.str.replace_all(FOLDED, "0")
    rows = heads.str.contains("HTTP/", literal=True).fill_null(False).arg_true()
    if not len(rows):
        return shapes
    told = heads.gather(rows)
    # To test costs a fifth of what it costs to extract, and nearly all answers are successes.
    success = told.str.contains(_HTTP_STATUS.format("2")) & ~told.str.contains(_HTTP_STATUS.format("[1345]"))
    good, rest = rows.filter(success), rows.filter(~success)
    status = heads.gather(rest).str.extract(_HTTP_STATUS.format("([1-5])"))
    rest, status = rest.filter(status.is_not_null()), status.drop_nulls()
    shapes = shapes.scatter(good, shapes.gather(good) + "\x002") if len(good) else shapes
    return shapes.scatter(rest, shapes.gather(rest) + "\x00" + status) if len(rest) else shapes


def _masked(shapes: pl.Series) -> pl.Series:
    """The templates of distinct shapes."""
    parts = shapes.str.extract_groups(r"^(?s:(?P<text>.*?))(?:\x00(?P<status>[1-5]))?$").struct.unnest()
    masked = parts["text"]
    for digit, mark in _STATUS.items():
        marked = masked.str.replace(_FOLDED_STATUS, f"${{1}}{mark}")
        masked = marked.zip_with((parts["status"] == digit).fill_null(False), masked)
    for regex, replacement in RULES:
        masked = masked.str.replace_all(regex, replacement)
    return masked.str.strip_chars()


def looked_up(shapes: pl.Series, table: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table of distinct shapes, shape by shape."""
    return shapes.to_frame("shape").join(table, on="shape", how="left", nulls_equal=True, maintain_order="left")
