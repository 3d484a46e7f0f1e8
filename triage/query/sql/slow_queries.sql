-- title: Statements over a threshold, by text with its literals masked
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_ms double = 0
-- param: most int = 20
-- returns: query, statements, total_ms, mean_ms, p95_ms, p99_ms, max_ms, record_ids
WITH told_twice AS (
    -- auto_explain prints a statement's plan beside the statement itself: one of the two counts, the longer of the pair.
    SELECT DISTINCT q.record_id
    FROM queries q JOIN queries s
      ON s.service_name = q.service_name AND s.process_id = q.process_id
     AND s."timestamp" BETWEEN q."timestamp" - INTERVAL 1 SECOND AND q."timestamp" + INTERVAL 1 SECOND
     AND abs(s.duration_ms - q.duration_ms) <= 10 + 0.1 * q.duration_ms
    WHERE q.kind = 'plan' AND s.kind = 'statement' AND q."timestamp" >= $since AND q."timestamp" < $until
)
SELECT shape AS query,
       count(*) AS statements, sum(duration_ms) AS total_ms, avg(duration_ms) AS mean_ms,
       quantile_cont(duration_ms, 0.95) AS p95_ms, quantile_cont(duration_ms, 0.99) AS p99_ms,
       max(duration_ms) AS max_ms,
       list_transform(min({'shorter': -duration_ms, 'record_id': record_id}, 5), lambda each: each.record_id) AS record_ids
FROM queries ANTI JOIN told_twice USING (record_id)
WHERE "timestamp" >= $since AND "timestamp" < $until AND duration_ms >= $over_ms
GROUP BY shape
ORDER BY total_ms DESC, query
LIMIT $most
