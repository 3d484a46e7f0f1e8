-- title: Ends of tasks by name: successes, failures, retries
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: task_name, successes, failures, retries
WITH lives AS (
    SELECT coalesce(max(task_name), '(unknown)') AS task_name, bool_or(state = 'succeeded') AS succeeded,
           bool_or(state IN ('failed', 'timeout', 'lost')) AS failed, count(*) FILTER (WHERE state = 'retry') AS retries
    FROM tasks
    WHERE "timestamp" >= $since AND "timestamp" < $until
    GROUP BY task_id
)
SELECT task_name, count(*) FILTER (WHERE succeeded) AS successes, count(*) FILTER (WHERE failed) AS failures,
       sum(retries)::BIGINT AS retries
FROM lives
GROUP BY task_name
HAVING successes + failures + retries > 0
ORDER BY task_name
