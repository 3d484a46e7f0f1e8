-- One row per session that waits and session that it waits for, at each look; `chain` leads on to the one that waits for
-- nobody, the root blocker.
WITH RECURSIVE waits AS (
    SELECT "timestamp", container_id, service_name, "row", "values" AS v, "values"['pid'] AS pid,
           "values"['blocked_by'] AS blocked_by
    FROM snapshots
    WHERE probe = 'postgres_blocking' AND "row" IS NOT NULL
),
-- Who queues behind others is blocked by all of them: one is followed, before others one that itself waits for nobody.
parents AS (
    SELECT "timestamp", container_id, pid,
           arg_min(blocked_by, (waiting, TRY_CAST(blocked_by AS BIGINT), blocked_by)) AS parent
    FROM (SELECT w.*, EXISTS (FROM waits b WHERE b."timestamp" = w."timestamp" AND b.container_id = w.container_id
                                             AND b.pid = w.blocked_by) AS waiting
          FROM waits w)
    GROUP BY ALL
),
chains AS (
    SELECT "timestamp", container_id, "row", blocked_by AS last, [pid, blocked_by] AS pids
    FROM waits
    UNION ALL
    SELECT c."timestamp", c.container_id, c."row", p.parent, list_append(c.pids, p.parent)
    FROM chains c JOIN parents p ON p."timestamp" = c."timestamp" AND p.container_id = c.container_id AND p.pid = c.last
    WHERE len(c.pids) < 20 AND NOT list_contains(c.pids, p.parent)
),
longest AS (
    SELECT "timestamp", container_id, "row", arg_max(pids, len(pids)) AS pids FROM chains GROUP BY ALL
)
SELECT w."timestamp", service_name, w.container_id, w."row", pid, TRY_CAST(v['waits_s'] AS DOUBLE) AS waits_s, v['mode'] AS mode,
       v['locktype'] AS locktype, v['relation'] AS relation, v['query'] AS query, blocked_by,
       v['blocker_state'] AS blocker_state, TRY_CAST(v['blocker_transaction_s'] AS DOUBLE) AS blocker_transaction_s,
       v['blocker_application'] AS blocker_application, v['blocker_query'] AS blocker_query,
       pids[-1] AS root_blocker, array_to_string(pids, ' → ') AS chain
FROM waits w JOIN longest l ON l."timestamp" = w."timestamp" AND l.container_id = w.container_id AND l."row" = w."row"
