"""From lines to records: cut, dated, levelled and named, whatever program wrote them and whatever carried them.

`parse` turns physical lines into records. For a stream in batches `cut` and `Cut.read` are its two halves, and
`open_from` says how many leading lines of a batch are surely complete.
"""

from triage.parse.options import ParseOptions
from triage.parse.records import Cut, cut, open_from, parse

__all__ = ["Cut", "ParseOptions", "cut", "open_from", "parse"]
