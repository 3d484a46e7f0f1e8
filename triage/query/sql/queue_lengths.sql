-- title: Messages that wait in each queue, and who takes them
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: timestamp, service_name, queue, messages, consumers
SELECT "timestamp", service_name, coalesce("values"['queue'], "values"['name']) AS queue,
       TRY_CAST(coalesce("values"['length'], "values"['messages']) AS BIGINT) AS messages,
       TRY_CAST("values"['consumers'] AS BIGINT) AS consumers
FROM snapshots
WHERE 'task.stuck_pending' = ANY (supports) AND error IS NULL AND "timestamp" >= $since AND "timestamp" < $until
ORDER BY "timestamp", service_name, queue
