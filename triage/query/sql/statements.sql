-- title: Every statement that the database logged with its duration
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, process_id, kind, duration_ms, query, problem, body
SELECT record_id, "timestamp", service_name, process_id, kind, duration_ms, query, problem, body
FROM queries
WHERE "timestamp" >= $since AND "timestamp" < $until
ORDER BY "timestamp", record_id
