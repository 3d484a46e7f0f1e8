-- title: Which of some tasks a worker ever named
-- param: task_ids varchar[]
-- returns: task_id, first_seen
SELECT task_id, min("timestamp") AS first_seen
FROM tasks
WHERE source = 'celery' AND list_contains(CAST($task_ids AS VARCHAR[]), task_id)
GROUP BY task_id
ORDER BY task_id
