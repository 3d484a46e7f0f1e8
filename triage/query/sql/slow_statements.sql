-- title: Statements that a pattern calls slow, and whatever else the database printed of their executions
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: record_id, timestamp, service_name, process_id, kind, duration_ms, query, problem, body
-- Nearly all statements are quick: one counts only beside the plan that the same process printed of it.
WITH told AS NOT MATERIALIZED (
    SELECT record_id, "timestamp", service_name, process_id, kind, duration_ms, query, problem, body
    FROM queries
    WHERE "timestamp" >= $since AND "timestamp" < $until
), planned AS MATERIALIZED (
    SELECT DISTINCT service_name, coalesce(process_id, '') AS process_id FROM told WHERE kind = 'plan'
)
SELECT * FROM told WHERE problem = 'db.slow_query'
UNION ALL
SELECT told.*
FROM told JOIN planned ON planned.service_name = told.service_name AND planned.process_id = coalesce(told.process_id, '')
WHERE problem IS DISTINCT FROM 'db.slow_query'
ORDER BY "timestamp", record_id
