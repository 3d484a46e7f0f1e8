-- title: The longest open transactions: their state, what they wait for, the locks that they hold
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_s double = 0
-- returns: timestamp, service_name, pid, role, application, state, transaction_s, state_s, wait_event, locks, query
SELECT "timestamp", service_name, "values"['pid'] AS pid, "values"['role'] AS role,
       "values"['application'] AS application, "values"['state'] AS state,
       TRY_CAST("values"['transaction_s'] AS DOUBLE) AS transaction_s, TRY_CAST("values"['state_s'] AS DOUBLE) AS state_s,
       "values"['wait_event'] AS wait_event, TRY_CAST("values"['locks'] AS BIGINT) AS locks, "values"['query'] AS query
FROM snapshots
WHERE probe = 'postgres_transactions' AND "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until
  AND transaction_s >= $over_s
ORDER BY "timestamp", service_name, transaction_s DESC, pid
