"""Names what happened in each record: patterns, templates, and the redaction that comes before both."""
