"""The lake: Delta tables of records, with the collectors' cursors in the same commits."""
