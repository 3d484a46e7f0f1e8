-- title: Failed, timed out, lost and retried tasks by name
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: task_name, tasks, succeeded, failed, timeouts, retried, failure_share
WITH lives AS (
    SELECT task_id, max(task_name) AS task_name,
           bool_or(state = 'succeeded') AS succeeded,
           bool_or(state IN ('failed', 'timeout', 'lost')) AS failed,
           bool_or(state = 'timeout' OR problem = 'task.timeout') AS timeout,
           bool_or(state = 'retry') AS retried
    FROM tasks
    WHERE "timestamp" >= $since AND "timestamp" < $until
    GROUP BY task_id
)
SELECT coalesce(task_name, '(unknown)') AS task_name, count(*) AS tasks,
       count(*) FILTER (WHERE succeeded) AS succeeded,
       count(*) FILTER (WHERE failed) AS failed,
       count(*) FILTER (WHERE timeout) AS timeouts,
       count(*) FILTER (WHERE retried) AS retried,
       round(count(*) FILTER (WHERE failed) / count(*), 4) AS failure_share
FROM lives
GROUP BY ALL
ORDER BY failed DESC, task_name
