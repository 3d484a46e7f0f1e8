-- One row per answered request: the access line of the server that answered it (status and method, or status and path).
SELECT "timestamp", service_name, source, scope_name,
       attribute_method AS method,
       attribute_path AS path,
       request_route AS route,  -- the path without its ids
       status_code, duration_ms, request_id, task_id, job_id, user_id, trace_id,
       attributes['client.address'] AS client, problem, record_id
FROM stored
WHERE status_code IS NOT NULL
  AND source IN ('app', 'nginx')
  AND attribute_method IS NOT NULL
  AND request_route IS NOT NULL  -- a call to somebody else is no answered request
