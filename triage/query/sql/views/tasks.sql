-- One row per record that names a task, with what it says of the task's state.
SELECT "timestamp", observed_timestamp, service_name, source, task_id, task_name,
       coalesce(attributes['celery.state'], CASE WHEN source <> 'celery' THEN 'sent' END) AS state,
       coalesce(try_cast(attributes['celery.runtime_s'] AS DOUBLE) * 1000, duration_ms) AS run_ms,
       job_id, request_id, user_id, process_id, thread_name, exception_type, problem, severity_number, message, record_id
FROM logs
WHERE task_id IS NOT NULL
