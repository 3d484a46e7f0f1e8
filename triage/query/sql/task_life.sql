-- title: One task's records over all services
-- param: task_id varchar
-- returns: timestamp, service_name, source, state, task_name, run_ms, problem, message, record_id
SELECT "timestamp", service_name, source, state, task_name, run_ms, problem, message, record_id
FROM tasks
WHERE task_id = $task_id
ORDER BY "timestamp", record_id
