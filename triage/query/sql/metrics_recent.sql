-- title: Percentiles of the response time, the share of tasks that succeeded and their mean time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: requests, p50_s, p95_s, p99_s, successes, failures, mean_task_s
SELECT (SELECT count(*) FROM requests WHERE "timestamp" >= $since AND "timestamp" < $until AND duration_ms IS NOT NULL) AS requests,
       r.q[1] / 1000 AS p50_s, r.q[2] / 1000 AS p95_s, r.q[3] / 1000 AS p99_s, successes, failures, mean_task_s
FROM (SELECT quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS q FROM requests
      WHERE "timestamp" >= $since AND "timestamp" < $until AND duration_ms IS NOT NULL) r,
     (SELECT count(DISTINCT task_id) FILTER (WHERE state = 'succeeded') AS successes,
             count(DISTINCT task_id) FILTER (WHERE state IN ('failed', 'timeout', 'lost')) AS failures,
             avg(run_ms) FILTER (WHERE state IN ('succeeded', 'failed')) / 1000 AS mean_task_s
      FROM tasks WHERE "timestamp" >= $since AND "timestamp" < $until)
ORDER BY ALL
