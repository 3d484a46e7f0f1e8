-- title: Database sessions, those idle in a transaction, those that wait for another, and the most admitted, by step of time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 60
-- returns: step, sessions, idle_in_transaction, blocked, max_connections
WITH told AS (
    SELECT CAST(floor(date_diff('microsecond', CAST($since AS TIMESTAMPTZ), "timestamp") / (1000000.0 * $step_s)) AS INTEGER) AS step,
           "timestamp", probe, container_id, "row", "values" AS v, TRY_CAST("values"['sessions'] AS BIGINT) AS n
    FROM snapshots
    WHERE probe IN ('postgres_sessions', 'postgres_blocking') AND error IS NULL
      AND "timestamp" >= $since AND "timestamp" < $until
),
each AS (
    SELECT step, "timestamp", probe, sum(n) AS sessions,
           coalesce(sum(n) FILTER (WHERE starts_with(v['state'], 'idle in transaction')), 0) AS idle,
           max(TRY_CAST(v['max_connections'] AS BIGINT)) AS most,
           count(DISTINCT v['pid']) FILTER (WHERE probe = 'postgres_blocking' AND "row" IS NOT NULL) AS blocked
    FROM told
    GROUP BY step, "timestamp", probe, container_id
)
SELECT step, coalesce(max(sessions) FILTER (WHERE probe = 'postgres_sessions'), 0)::BIGINT AS sessions,
       coalesce(max(idle) FILTER (WHERE probe = 'postgres_sessions'), 0)::BIGINT AS idle_in_transaction,
       max(blocked) AS blocked, max(most) AS max_connections
FROM each
GROUP BY step
ORDER BY step
