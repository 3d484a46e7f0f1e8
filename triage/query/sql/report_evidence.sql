-- title: Records of a problem in a stretch of time, one of each shape before a second of any
-- param: since timestamptz
-- param: until timestamptz
-- param: problem varchar
-- param: most int = 3
-- returns: record_id, timestamp, service_name, severity_text, severity_number, message, body, problem, origin, position, line_count, task_id, task_name, request_id, job_id, user_id, exception_type
WITH numbered AS (
    SELECT origin, position, record_id, "timestamp",
           row_number() OVER (PARTITION BY service_name, fingerprint ORDER BY "timestamp", record_id) AS repetition
    FROM errors
    WHERE "timestamp" >= $since AND "timestamp" <= $until AND (problem = $problem OR list_contains(problems, $problem))
),
chosen AS (SELECT origin, position, record_id FROM numbered ORDER BY repetition, "timestamp", record_id LIMIT $most)
SELECT record_id, "timestamp", service_name, severity_text, severity_number, message, body, problem, origin,
       position, line_count, task_id, task_name, request_id, job_id, user_id, exception_type
FROM errors JOIN chosen USING (origin, position, record_id)
ORDER BY "timestamp", record_id
