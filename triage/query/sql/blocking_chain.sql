-- title: Sessions that wait, and who blocks them
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, pid, waits_s, query, blocked_by, blocker_state, blocker_transaction_s, blocker_query
SELECT "timestamp", service_name, "values"['pid'] AS pid, TRY_CAST("values"['waits_s'] AS DOUBLE) AS waits_s,
       "values"['query'] AS query, "values"['blocked_by'] AS blocked_by, "values"['blocker_state'] AS blocker_state,
       TRY_CAST("values"['blocker_transaction_s'] AS DOUBLE) AS blocker_transaction_s,
       "values"['blocker_query'] AS blocker_query
FROM snapshots
WHERE probe = 'postgres_blocking' AND error IS NULL AND "timestamp" >= $since AND "timestamp" < $until
ORDER BY "timestamp", service_name, "row"
