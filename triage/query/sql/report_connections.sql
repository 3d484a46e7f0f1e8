-- title: Sessions of each database server: at most, idle in a transaction at most, and when
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, sessions, idle_in_transaction, max_connections, used_percent, timestamp, looks
WITH looks AS (
    SELECT "timestamp", service_name, container_id, sum(TRY_CAST("values"['sessions'] AS BIGINT)) AS n,
           coalesce(sum(TRY_CAST("values"['sessions'] AS BIGINT))
                      FILTER (WHERE starts_with("values"['state'], 'idle in transaction')), 0) AS idle,
           max(TRY_CAST("values"['max_connections'] AS BIGINT)) AS most
    FROM snapshots
    WHERE probe = 'postgres_sessions' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
    GROUP BY "timestamp", service_name, container_id
)
SELECT service_name, max(n)::BIGINT AS sessions, max(idle)::BIGINT AS idle_in_transaction, max(most) AS max_connections,
       round(max(100.0 * n / most), 1) AS used_percent, arg_max("timestamp", n) AS "timestamp", count(*) AS looks
FROM looks
GROUP BY service_name
ORDER BY used_percent DESC, service_name
