-- title: One task's, request's, job's or trace's story across services
-- param: id varchar
-- returns: timestamp, service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
WITH named AS (
    -- A request names its tasks and a task its job: one step further from the id that was asked for.
    SELECT DISTINCT unnest([task_id, request_id, job_id, trace_id]) AS id
    FROM logs
    WHERE $id IN (task_id, request_id, job_id, trace_id)
)
SELECT "timestamp", service_name, severity_text, problem, task_id, request_id, job_id, message, record_id
FROM logs
WHERE task_id IN (SELECT id FROM named WHERE id IS NOT NULL)
   OR request_id IN (SELECT id FROM named WHERE id IS NOT NULL)
   OR job_id IN (SELECT id FROM named WHERE id IS NOT NULL)
   OR trace_id IN (SELECT id FROM named WHERE id IS NOT NULL)
   OR user_id = $id OR contains(message, $id)
ORDER BY "timestamp", record_id
