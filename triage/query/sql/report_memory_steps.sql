-- title: Memory of the containers nearest to their limit, by step of time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 60
-- param: most int = 4
-- returns: step, container_name, memory_mb, limit_mb
WITH samples AS (
    SELECT *, max(memory_bytes / memory_limit_bytes) OVER own AS share, max(memory_bytes) OVER own AS highest
    FROM container_stats
    WHERE "timestamp" >= $since AND "timestamp" < $until
    WINDOW own AS (PARTITION BY container_name)
),
nearest AS (
    SELECT *, dense_rank() OVER (ORDER BY share DESC NULLS LAST, highest DESC, container_name) AS place FROM samples
)
SELECT CAST(floor(date_diff('microsecond', CAST($since AS TIMESTAMPTZ), "timestamp") / (1000000.0 * $step_s)) AS INTEGER) AS step,
       container_name, round(max(memory_bytes) / 1e6, 3) AS memory_mb, max(memory_limit_bytes) / 1e6 AS limit_mb
FROM nearest
WHERE place <= $most
GROUP BY step, container_name
ORDER BY container_name, step
