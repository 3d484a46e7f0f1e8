-- title: What each container used at its last sample, and how often it was started again and killed for memory
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, container_name, timestamp, memory_bytes, memory_limit_bytes, cpu_seconds, pids, restarts, oom_kills
WITH last AS (
    SELECT * FROM container_stats
    WHERE "timestamp" >= $since AND "timestamp" < $until
    QUALIFY row_number() OVER (PARTITION BY container_name ORDER BY "timestamp" DESC) = 1
),
ends AS (
    SELECT container_name, count(*) FILTER (WHERE began_as = 'restart') AS restarts,
           count(*) FILTER (WHERE oom_killed) AS oom_kills
    FROM container_lives GROUP BY container_name
)
SELECT service_name, container_name, "timestamp", memory_bytes, memory_limit_bytes, cpu_seconds, pids,
       coalesce(restarts, 0) AS restarts, coalesce(oom_kills, 0) AS oom_kills
FROM last LEFT JOIN ends USING (container_name)
ORDER BY container_name
