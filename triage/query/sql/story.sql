-- title: One task's, request's, job's or trace's story across services
-- param: id varchar
-- param: anywhere boolean = false
-- returns: timestamp, service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
-- Records that have the id among their keys, and those that mention it in their text from a minute before the first of
-- them to a minute behind the last. Where none has it, or with $anywhere = true, all texts are read: no filter of a file
-- knows what they hold.
WITH asked AS MATERIALIZED (
    -- Each key apart: the files' filters answer for one value of one column.
    SELECT "timestamp", task_id, request_id, job_id, trace_id FROM logs WHERE task_id = $id
    UNION ALL
    SELECT "timestamp", task_id, request_id, job_id, trace_id FROM logs WHERE request_id = $id
    UNION ALL
    SELECT "timestamp", task_id, request_id, job_id, trace_id FROM logs WHERE job_id = $id
    UNION ALL
    SELECT "timestamp", task_id, request_id, job_id, trace_id FROM logs WHERE trace_id = $id
), named AS MATERIALIZED (
    -- A request names its tasks and a task its job: one step further from the id that was asked for.
    SELECT DISTINCT unnest([task_id, request_id, job_id, trace_id]) AS id FROM asked
), known AS (SELECT id FROM named WHERE id IS NOT NULL),
around AS MATERIALIZED (
    SELECT CASE WHEN NOT $anywhere THEN min("timestamp") - INTERVAL 1 MINUTE END AS first,
           CASE WHEN NOT $anywhere THEN max("timestamp") + INTERVAL 1 MINUTE END AS last
    FROM asked
),
told AS (
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs SEMI JOIN known ON known.id = logs.task_id
    UNION
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs SEMI JOIN known ON known.id = logs.request_id
    UNION
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs SEMI JOIN known ON known.id = logs.job_id
    UNION
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs SEMI JOIN known ON known.id = logs.trace_id
    UNION
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs WHERE user_id = $id
    UNION
    SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
    FROM logs
    WHERE contains(message, $id) AND "timestamp" >= (SELECT coalesce(first, TIMESTAMPTZ '-infinity') FROM around)
      AND "timestamp" <= (SELECT coalesce(last, TIMESTAMPTZ 'infinity') FROM around)
)
SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
FROM told
ORDER BY "timestamp", record_id
