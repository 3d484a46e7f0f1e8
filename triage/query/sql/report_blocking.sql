-- title: Sessions that waited for others, each once, as the last look saw it; the longest waits first
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: most int = 20
-- returns: timestamp, service_name, chain, waits_s, mode, relation, query, blocker_state, blocker_transaction_s, blocker_query
SELECT "timestamp", service_name, chain, waits_s, mode, relation, query, blocker_state, blocker_transaction_s, blocker_query
FROM blocking_chains
WHERE "timestamp" >= $since AND "timestamp" < $until
QUALIFY row_number() OVER (PARTITION BY container_id, pid, query ORDER BY "timestamp" DESC, "row") = 1
ORDER BY waits_s DESC NULLS LAST, "timestamp", service_name, chain
LIMIT $most
