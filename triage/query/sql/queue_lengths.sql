-- title: Messages that wait in each queue, and who takes them
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, queue, messages, unacknowledged, consumers
SELECT "timestamp", service_name, coalesce("values"['queue'], "values"['name']) AS queue,
       TRY_CAST(coalesce("values"['length'], "values"['messages']) AS BIGINT) AS messages,
       TRY_CAST("values"['messages_unacknowledged'] AS BIGINT) AS unacknowledged,
       TRY_CAST("values"['consumers'] AS BIGINT) AS consumers
FROM snapshots
WHERE "row" IS NOT NULL AND "timestamp" >= $since AND "timestamp" < $until AND 'task.stuck_pending' = ANY (supports)
  AND queue IS NOT NULL AND messages IS NOT NULL
ORDER BY "timestamp", service_name, queue
