-- One row per answered request: the access line of the server that answered it (status and method, or status and path).
SELECT "timestamp", service_name, source, scope_name,
       attribute_method AS method,
       attribute_path AS path,
       -- The route: the path without its ids, so that requests of one kind count together.
       regexp_replace(split_part(attribute_path, '?', 1),
           '/(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{8,}|[A-Za-z]+[-_][0-9][0-9A-Za-z_-]*)(?:(/)|$)',
           '/{id}\1', 'g') AS route,
       status_code, duration_ms, request_id, task_id, job_id, user_id, trace_id,
       attributes['client.address'] AS client, problem, record_id
FROM stored
WHERE status_code IS NOT NULL
  AND source IN ('app', 'nginx')
  AND attribute_method IS NOT NULL
  AND attribute_path IS NOT NULL
  -- A client's log of a call to somebody else (httpx: "HTTP Request: POST https://…") is no answered request.
  AND NOT regexp_matches(attribute_path, '^[a-z]+://')
