-- A path without its ids and its query, so that requests of one kind count together. A client's log of a call to somebody
-- else (httpx: "HTTP Request: POST https://…") has none.
CASE WHEN NOT regexp_matches(attribute_path, '^[a-z]+://') THEN regexp_replace(split_part(attribute_path, '?', 1),
    '/(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{8,}|[A-Za-z]+[-_][0-9][0-9A-Za-z_-]*)(?:(/)|$)',
    '/{id}\1', 'g') END
