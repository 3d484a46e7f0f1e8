-- title: How much later than one service another names the same task or request: clocks and waiting together
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: kind, service_name, reference, pairs, p10_s, median_s, p90_s
-- Of very many ids some are enough: those of about two hundred thousand records.
WITH share AS (
    SELECT CAST(greatest(1, count(*) // 200000) AS UBIGINT) AS one_of FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until
), named AS (
    SELECT 'task' AS kind, task_id AS id, service_name, source = 'celery' AS receives, "timestamp"
    FROM tasks
    WHERE "timestamp" >= $since AND "timestamp" < $until AND (source <> 'celery' OR state = 'received')
      AND hash(task_id) % (SELECT one_of FROM share) = 0
    UNION ALL
    SELECT 'request', request_id, service_name, NULL, "timestamp"
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until AND request_id IS NOT NULL
      AND hash(request_id) % (SELECT one_of FROM share) = 0
), first_named AS (
    SELECT kind, id, service_name, bool_or(receives) AS receives, min("timestamp") AS "timestamp"
    FROM named
    GROUP BY kind, id, service_name
), pairs AS (
    SELECT kind, later.service_name, earlier.service_name AS reference, epoch(later."timestamp" - earlier."timestamp") AS after_s
    FROM first_named earlier JOIN first_named later USING (kind, id)
    -- A worker receives what was sent before; of a request it is not known who heard of it first.
    WHERE (later.receives AND NOT earlier.receives)
       OR (kind = 'request' AND earlier.service_name < later.service_name)
)
SELECT kind, service_name, reference, count(*) AS pairs, quantile_cont(after_s, 0.1) AS p10_s,
       median(after_s) AS median_s, quantile_cont(after_s, 0.9) AS p90_s
FROM pairs
GROUP BY kind, service_name, reference
-- A receipt follows its sending at once; who names a request later may do so on purpose.
ORDER BY kind DESC, pairs DESC, service_name, reference
