-- title: Problems that the engine itself reports: memory kills, failed ends, failing health checks
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: problem, timestamp, service_name, record_id
WITH full_memory AS (
    -- A kill from outside (137 without a request to the engine) is the memory's where the limit was all but reached.
    SELECT l.end_event_id, bool_or(s.memory_bytes >= 0.9 * s.memory_limit_bytes) AS was_full
    FROM container_lives l JOIN container_stats s
      ON s.container_id = l.container_id AND s."timestamp" <= l.ended_at AND s."timestamp" > l.ended_at - INTERVAL 2 MINUTE
    WHERE l.exit_code = 137 AND NOT l.asked
    GROUP BY l.end_event_id
),
ends AS (
    SELECT CASE WHEN oom_killed OR was_full THEN 'memory.out_of_memory'
                -- 130 and 143: it was told to end, and did.
                WHEN exit_code NOT IN (0, 130, 143) AND NOT asked THEN 'process.crash'
                -- Ended well at once, again and again: a loop all the same.
                WHEN exit_code = 0 AND NOT asked AND ended_at - started_at < INTERVAL 10 SECOND
                     AND next_started_at - ended_at < INTERVAL 2 MINUTE THEN 'process.crash' END AS problem,
           ended_at AS "timestamp", service_name, end_event_id AS record_id
    FROM container_lives LEFT JOIN full_memory USING (end_event_id)
    WHERE ended_at >= $since AND ended_at < $until
),
-- A process in a container may be killed for memory while the container lives on.
inner_kills AS (
    SELECT 'memory.out_of_memory' AS problem, e."timestamp", e.service_name, e.event_id
    FROM container_events e
    WHERE e.action = 'oom' AND e."timestamp" >= $since AND e."timestamp" < $until
      AND NOT EXISTS (FROM container_events d
                      WHERE d.container_id = e.container_id AND d.action = 'die'
                        AND d.time_ns BETWEEN e.time_ns AND e.time_ns + 10000000000)
),
ill AS (
    SELECT 'container.unhealthy', "timestamp", service_name, event_id
    FROM container_events
    WHERE action = 'health_status' AND health = 'unhealthy' AND "timestamp" >= $since AND "timestamp" < $until
)
SELECT problem, "timestamp", service_name, record_id FROM (FROM ends UNION ALL FROM inner_kills UNION ALL FROM ill)
WHERE problem IS NOT NULL
ORDER BY "timestamp", service_name, problem, record_id
