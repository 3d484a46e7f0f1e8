-- title: The longest transactions, each once, as the last look saw it
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_s double = 5
-- param: most int = 10
-- returns: timestamp, service_name, pid, state, transaction_s, state_s, wait_event, locks, query
SELECT "timestamp", service_name, v['pid'] AS pid, v['state'] AS state, TRY_CAST(v['transaction_s'] AS DOUBLE) AS transaction_s,
       TRY_CAST(v['state_s'] AS DOUBLE) AS state_s, v['wait_event'] AS wait_event,
       TRY_CAST(v['locks'] AS BIGINT) AS locks, v['query'] AS query
FROM (SELECT *, "values" AS v FROM snapshots WHERE probe = 'postgres_transactions' AND "row" IS NOT NULL)
WHERE "timestamp" >= $since AND "timestamp" < $until AND TRY_CAST(v['transaction_s'] AS DOUBLE) >= $over_s
QUALIFY row_number() OVER (PARTITION BY container_id, v['pid'], v['query'] ORDER BY "timestamp" DESC, "row") = 1
ORDER BY transaction_s DESC, "timestamp", service_name, pid
LIMIT $most
