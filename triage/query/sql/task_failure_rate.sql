-- title: Failed tasks a second, over the last minutes before each failure
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_s int = 300
-- returns: timestamp, failures_per_s
WITH failures AS (
    SELECT task_id, min("timestamp") AS "timestamp"
    FROM tasks
    WHERE "timestamp" >= $since AND "timestamp" < $until AND state IN ('failed', 'timeout', 'lost')
    GROUP BY task_id
)
SELECT "timestamp",
       count(*) OVER (ORDER BY "timestamp" RANGE BETWEEN to_seconds($over_s) PRECEDING AND CURRENT ROW)
           / $over_s AS failures_per_s
FROM failures
ORDER BY "timestamp", task_id
