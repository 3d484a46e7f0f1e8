-- title: Length of the longest queues, by step of time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 60
-- param: most int = 4
-- returns: step, queue, messages
WITH lengths AS (
    SELECT "timestamp", coalesce("values"['queue'], "values"['name']) AS queue,
           TRY_CAST(coalesce("values"['length'], "values"['messages']) AS BIGINT) AS messages
    FROM snapshots
    WHERE "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until AND 'task.stuck_pending' = ANY (supports)
      AND queue IS NOT NULL AND messages IS NOT NULL AND NOT regexp_matches(queue, 'celery\.pidbox$|^celeryev\.')
),
-- Queues that were never filled are no news.
longest AS (
    SELECT queue, row_number() OVER (ORDER BY max(messages) DESC, queue) AS place
    FROM lengths GROUP BY queue HAVING max(messages) > 0
)
SELECT CAST(floor(date_diff('microsecond', CAST($since AS TIMESTAMPTZ), "timestamp") / (1000000.0 * $step_s)) AS INTEGER) AS step,
       queue, max(messages) AS messages
FROM lengths JOIN longest USING (queue)
WHERE place <= $most
GROUP BY step, queue
ORDER BY queue, step
