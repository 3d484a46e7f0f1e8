-- title: Database sessions against the most that are admitted
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, sessions, active, idle_in_transaction, longest_transaction_s, max_connections, used_percent
SELECT "timestamp", service_name, sum(sessions)::BIGINT AS sessions,
       coalesce(sum(sessions) FILTER (WHERE state = 'active'), 0)::BIGINT AS active,
       coalesce(sum(sessions) FILTER (WHERE starts_with(state, 'idle in transaction')), 0)::BIGINT AS idle_in_transaction,
       max(longest_transaction_s) AS longest_transaction_s, max(max_connections) AS max_connections,
       round(100.0 * sum(sessions) / max(max_connections), 1) AS used_percent
FROM (SELECT "timestamp", service_name, container_id, "values"['state'] AS state,
             TRY_CAST("values"['sessions'] AS BIGINT) AS sessions,
             TRY_CAST("values"['max_connections'] AS BIGINT) AS max_connections,
             TRY_CAST("values"['longest_transaction_s'] AS DOUBLE) AS longest_transaction_s
      FROM snapshots
      WHERE probe = 'postgres_sessions' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until)
GROUP BY "timestamp", service_name, container_id
ORDER BY "timestamp", service_name, container_id
