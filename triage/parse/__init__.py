"""From lines to records: cut, dated, levelled and named, whatever program wrote them and whatever carried them.

`parse` turns physical lines into records; `open_from` says how many leading lines of a batch are surely complete.
"""

from triage.parse.options import ParseOptions
from triage.parse.records import open_from, parse

__all__ = ["ParseOptions", "open_from", "parse"]
