-- title: Sessions that wait, who blocks them, and the whole chain up to the one that waits for nobody
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, pid, waits_s, mode, locktype, relation, query, blocked_by, blocker_state, blocker_transaction_s, blocker_application, blocker_query, root_blocker, chain
SELECT "timestamp", service_name, pid, waits_s, mode, locktype, relation, query, blocked_by, blocker_state,
       blocker_transaction_s, blocker_application, blocker_query, root_blocker, chain
FROM blocking_chains
WHERE "timestamp" >= $since AND "timestamp" < $until
ORDER BY "timestamp", service_name, "row"
