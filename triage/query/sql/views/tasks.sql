-- One row per record that names a task, with what it says of the task's state.
SELECT "timestamp", observed_timestamp, service_name, source, task_id, task_name,
       coalesce(attribute_state, CASE WHEN source <> 'celery' THEN 'sent' END) AS state,
       coalesce(try_cast(attribute_runtime_s AS DOUBLE) * 1000, duration_ms) AS run_ms,
       job_id, request_id, user_id, process_id, thread_name, exception_type, problem, severity_number, message, record_id
FROM stored
WHERE task_id IS NOT NULL
