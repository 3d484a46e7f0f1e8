-- title: Run times of tasks by name, with how many took no longer than each bound
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: task_name, le, tasks, sum_s, total
SELECT coalesce(task_name, '(unknown)') AS task_name, le, count(*) FILTER (WHERE run_ms <= 1000 * le) AS tasks,
       sum(run_ms) / 1000 AS sum_s, count(*) AS total
FROM tasks, (SELECT unnest([0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]::DOUBLE[]) AS le)
WHERE "timestamp" >= $since AND "timestamp" < $until AND state IN ('succeeded', 'failed') AND run_ms IS NOT NULL
GROUP BY task_name, le
ORDER BY task_name, le
