-- title: Every record that names a task, with its state
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, source, task_id, task_name, state, run_ms, job_id, request_id, user_id, thread_name, exception_type, problem, severity_number, record_id
SELECT "timestamp", service_name, source, task_id, task_name, state, run_ms, job_id, request_id, user_id, thread_name,
       exception_type, problem, severity_number, record_id
FROM tasks
WHERE "timestamp" >= $since AND "timestamp" < $until
ORDER BY "timestamp", record_id
