-- title: Database sessions against the most that are admitted
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, sessions, idle_in_transaction, max_connections, used_percent
SELECT "timestamp", service_name,
       sum(TRY_CAST("values"['sessions'] AS BIGINT))::BIGINT AS sessions,
       coalesce(sum(TRY_CAST("values"['sessions'] AS BIGINT))
                  FILTER (WHERE starts_with("values"['state'], 'idle in transaction')), 0)::BIGINT AS idle_in_transaction,
       max(TRY_CAST("values"['max_connections'] AS BIGINT)) AS max_connections,
       round(100.0 * sum(TRY_CAST("values"['sessions'] AS BIGINT))
             / max(TRY_CAST("values"['max_connections'] AS BIGINT)), 1) AS used_percent
FROM snapshots
WHERE probe = 'postgres_sessions' AND error IS NULL AND "timestamp" >= $since AND "timestamp" < $until
GROUP BY "timestamp", service_name, container_id
ORDER BY "timestamp", service_name, container_id
