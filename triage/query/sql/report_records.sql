-- title: Records by their ids; of state an event, a sample as sample:CONTAINER:MICROSECONDS, or an answer as snapshot:CONTAINER:PROBE:MICROSECONDS:ROW
-- param: record_ids varchar[]
-- returns: record_id, timestamp, service_name, severity_text, severity_number, message, body, problem, origin, position, line_count, task_id, task_name, request_id, job_id, user_id, exception_type
WITH wanted AS (SELECT unnest(CAST($record_ids AS VARCHAR[])) AS record_id),
state AS (
    SELECT record_id, "timestamp", service_name,
           concat(container_name, ': ', action, CASE WHEN health IS NOT NULL THEN ' ' || health END,
                  CASE WHEN exit_code IS NOT NULL THEN ' with exit code ' || exit_code END,
                  CASE WHEN oom_killed THEN ', killed for memory' END,
                  CASE WHEN method = 'inspect' THEN ' (from the container''s state)' END) AS message
    FROM wanted JOIN container_events ON event_id = record_id
    UNION ALL
    SELECT record_id, "timestamp", service_name,
           concat(container_name, ': memory ', round(memory_bytes / 1e6, 1), ' MB',
                  CASE WHEN memory_limit_bytes IS NOT NULL
                       THEN ' of ' || round(memory_limit_bytes / 1e6, 1) || ' MB' END)
    FROM (SELECT *, split_part(record_id, ':', 2) AS container_id,
                 make_timestamptz(TRY_CAST(split_part(record_id, ':', 3) AS BIGINT)) AS "timestamp"
          FROM wanted WHERE record_id LIKE 'sample:%')
    JOIN container_stats USING (container_id, "timestamp")
    UNION ALL
    SELECT record_id, "timestamp", service_name,
           concat(container_name, ': ', probe, ': ', error,
                  array_to_string([concat(k, '=', "values"[k]) FOR k IN map_keys("values")], ', '))
    FROM (SELECT record_id, split_part(record_id, ':', 2) AS container_id, split_part(record_id, ':', 3) AS probe,
                 make_timestamptz(TRY_CAST(split_part(record_id, ':', 4) AS BIGINT)) AS "timestamp",
                 TRY_CAST(split_part(record_id, ':', 5) AS INTEGER) AS "row"
          FROM wanted WHERE record_id LIKE 'snapshot:%')
    JOIN (SELECT * REPLACE (coalesce("row", -1) AS "row") FROM snapshots) USING (container_id, probe, "timestamp", "row")
)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, message, body, problem, origin, position,
       line_count, task_id, task_name, request_id, job_id, user_id, exception_type
FROM logs SEMI JOIN wanted USING (record_id)
UNION ALL
SELECT record_id, "timestamp", service_name, '', CAST(17 AS UTINYINT), message, message, NULL, NULL, NULL, 1,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM state
ORDER BY "timestamp", record_id
