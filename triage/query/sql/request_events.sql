-- title: Every record that names a request
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: request_id, timestamp, service_name, method, path, status_code, duration_ms, user_id, job_id, task_id, problem, record_id
SELECT request_id, "timestamp", service_name, attributes['http.request.method'] AS method,
       attributes['url.path'] AS path, status_code, duration_ms, user_id, job_id, task_id, problem, record_id
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND request_id IS NOT NULL
ORDER BY request_id, "timestamp", record_id
