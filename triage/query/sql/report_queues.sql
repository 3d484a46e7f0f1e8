-- title: Queues: most messages and when, messages and consumers at the last look
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, queue, most_messages, timestamp, messages, consumers, looks
SELECT service_name, queue, max(n) AS most_messages, arg_max("timestamp", n) AS "timestamp",
       arg_max(n, "timestamp") AS messages, arg_max(consumers, "timestamp") AS consumers, count(*) AS looks
FROM (SELECT "timestamp", service_name, coalesce("values"['queue'], "values"['name']) AS queue,
             TRY_CAST(coalesce("values"['length'], "values"['messages']) AS BIGINT) AS n,
             TRY_CAST("values"['consumers'] AS BIGINT) AS consumers
      FROM snapshots
      WHERE "row" IS NOT NULL AND 'task.stuck_pending' = ANY (supports) AND "timestamp" >= $since AND "timestamp" < $until)
WHERE queue IS NOT NULL AND n IS NOT NULL
  -- Each worker's own mailboxes are no queues of tasks.
  AND NOT regexp_matches(queue, 'celery\.pidbox$|^celeryev\.')
GROUP BY service_name, queue
-- Redis knows no queues: a name that never held anything may be nobody's.
HAVING most_messages > 0 OR bool_or(consumers IS NOT NULL)
ORDER BY most_messages DESC, service_name, queue
