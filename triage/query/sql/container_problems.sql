-- title: Problems that the engine and programs themselves report: memory kills, failed ends, failing health checks, blocked queues, no free connections
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
),
lengths AS (
    SELECT "timestamp", service_name, container_id, probe, "row",
           TRY_CAST(coalesce("values"['length'], "values"['messages']) AS BIGINT) AS n,
           TRY_CAST("values"['consumers'] AS BIGINT) AS consumers,
           coalesce("values"['queue'], "values"['name']) AS queue
    FROM snapshots
    WHERE "row" IS NOT NULL AND 'task.stuck_pending' = ANY (supports) AND queue IS NOT NULL AND n IS NOT NULL
      AND NOT regexp_matches(queue, 'celery\.pidbox$|^celeryev\.') AND "timestamp" >= $since AND "timestamp" < $until
),
-- Blocked: nobody takes from it; or over five looks nothing left it that was not replaced, and it stands or doubled.
queues AS (
    SELECT *, n > 0 AND (coalesce(consumers = 0, false)
                         OR (count(*) OVER five = 5 AND list_sort(list(n) OVER five) = list(n) OVER five
                             AND (max(n) OVER five = min(n) OVER five OR n >= 2 * min(n) OVER five)
                             AND "timestamp" - min("timestamp") OVER five >= INTERVAL 2 MINUTE)) AS holds
    FROM lengths
    WINDOW five AS (PARTITION BY container_id, queue ORDER BY "timestamp" ROWS BETWEEN 4 PRECEDING AND CURRENT ROW)
),
sessions AS (
    SELECT "timestamp", service_name, container_id, probe, min("row") AS "row", container_id AS queue,
           sum(TRY_CAST("values"['sessions'] AS BIGINT))
               >= 0.9 * max(TRY_CAST("values"['max_connections'] AS BIGINT)) AS holds
    FROM snapshots
    WHERE probe = 'postgres_sessions' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
    GROUP BY "timestamp", service_name, container_id, probe
    UNION ALL
    -- Not even the probe was admitted.
    SELECT "timestamp", service_name, container_id, probe, -1, container_id, true
    FROM snapshots
    WHERE regexp_matches(error, 'too many clients|remaining connection slots') AND "timestamp" >= $since AND "timestamp" < $until
),
-- A transaction that does nothing, and holds a lock that another wants for longer than a moment.
idle AS (
    SELECT "timestamp", service_name, container_id, probe, min("row") AS "row", "values"['blocked_by'] AS queue,
           bool_or(TRY_CAST("values"['waits_s'] AS DOUBLE) >= 1) AS holds
    FROM snapshots
    WHERE probe = 'postgres_blocking' AND starts_with("values"['blocker_state'], 'idle in transaction')
      AND "timestamp" >= $since AND "timestamp" < $until
    GROUP BY "timestamp", service_name, container_id, probe, "values"['blocked_by']
),
alarms AS (
    SELECT "timestamp", service_name, container_id, probe, "row", container_id AS queue,
           "values"['alarms'] NOT IN ('', '[]') AS holds
    FROM snapshots
    WHERE probe = 'rabbitmq_status' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
),
told AS (
    SELECT 'task.stuck_pending' AS problem, "timestamp", service_name, container_id, probe, "row", queue, holds FROM queues
    UNION ALL
    SELECT 'db.too_many_connections', "timestamp", service_name, container_id, probe, "row", queue, holds FROM sessions
    UNION ALL
    SELECT 'db.lock_timeout', "timestamp", service_name, container_id, probe, "row", queue, holds FROM idle
    UNION ALL
    SELECT 'broker.resource_alarm', "timestamp", service_name, container_id, probe, "row", queue, holds FROM alarms
),
-- The first look that shows it counts; what goes on is not told again.
begun AS (
    SELECT problem, "timestamp", service_name,
           concat_ws(':', 'snapshot', container_id, probe, epoch_us("timestamp"), "row") AS record_id
    FROM told
    WINDOW own AS (PARTITION BY problem, container_id, queue ORDER BY "timestamp")
    QUALIFY holds AND NOT coalesce(lag(holds) OVER own, false)
)
SELECT problem, "timestamp", service_name, record_id
FROM (FROM ends UNION ALL FROM inner_kills UNION ALL FROM ill UNION ALL FROM begun)
WHERE problem IS NOT NULL
ORDER BY "timestamp", service_name, problem, record_id
