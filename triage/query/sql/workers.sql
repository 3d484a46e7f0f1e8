-- title: Celery's nodes as they last answered: concurrency, tasks done, what they run and have taken
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: node, service_name, last_answer, concurrency, max_tasks_per_child, prefetch, peak_memory_mb, running, longest_s, reserved
WITH answers AS (
    SELECT *, "values"['node'] AS node, max("timestamp") OVER (PARTITION BY probe, container_id) AS newest
    FROM snapshots
    WHERE starts_with(probe, 'celery_') AND "timestamp" >= $since AND "timestamp" < $until AND error IS NULL
),
nodes AS (
    SELECT node, arg_max(service_name, "timestamp") AS service_name, max("timestamp") AS last_answer,
           TRY_CAST(arg_max("values"['pool.max-concurrency'], "timestamp") AS INTEGER) AS concurrency,
           arg_max("values"['pool.max-tasks-per-child'], "timestamp") AS max_tasks_per_child,
           TRY_CAST(arg_max("values"['prefetch_count'], "timestamp") AS INTEGER) AS prefetch,
           TRY_CAST(arg_max("values"['rusage.maxrss'], "timestamp") AS DOUBLE) * 1024 / 1e6 AS peak_memory_mb
    FROM answers WHERE node IS NOT NULL
    GROUP BY node
),
now AS (
    SELECT node, count(DISTINCT "values"['id']) FILTER (WHERE probe = 'celery_active') AS running,
           max(epoch("timestamp") - TRY_CAST("values"['time_start'] AS DOUBLE)) AS longest_s,
           count(DISTINCT "values"['id']) FILTER (WHERE probe = 'celery_reserved') AS reserved
    FROM answers WHERE node IS NOT NULL AND "timestamp" = newest
    GROUP BY node
)
SELECT node, service_name, last_answer, concurrency, max_tasks_per_child, prefetch, round(peak_memory_mb, 1) AS peak_memory_mb,
       coalesce(running, 0) AS running, round(longest_s, 3) AS longest_s, coalesce(reserved, 0) AS reserved
FROM nodes LEFT JOIN now USING (node)
ORDER BY node
