-- title: Records by their ids
-- param: record_ids varchar[]
-- returns: record_id, timestamp, service_name, severity_text, severity_number, message, body, problem, origin, position, line_count, task_id, task_name, request_id, job_id, user_id, exception_type
SELECT record_id, "timestamp", service_name, severity_text, severity_number, message, body, problem, origin, position,
       line_count, task_id, task_name, request_id, job_id, user_id, exception_type
FROM logs
WHERE list_contains(CAST($record_ids AS VARCHAR[]), record_id)
ORDER BY "timestamp", record_id
