-- title: The last answers of probes: database sessions by state, queues, and whether each probe was answered
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: probe, service_name, container_name, timestamp, failed, duration_ms, key, value, most
WITH last AS (
    SELECT *, "values" AS v FROM snapshots
    WHERE "timestamp" >= $since AND "timestamp" < $until
      -- Each worker's own mailboxes are no queues of tasks.
      AND NOT coalesce(regexp_matches("values"['name'], 'celery\.pidbox$|^celeryev\.'), false)
    QUALIFY rank() OVER (PARTITION BY probe, container_name, "values"['queue'] ORDER BY "timestamp" DESC) = 1
)
SELECT probe, service_name, container_name, "timestamp", error IS NOT NULL AS failed, duration_ms,
       coalesce(CASE WHEN probe = 'postgres_sessions' THEN v['state'] ELSE coalesce(v['queue'], v['name']) END, '') AS key,
       sum(TRY_CAST(coalesce(v['sessions'], v['length'], v['messages']) AS BIGINT))::BIGINT AS value,
       max(TRY_CAST(coalesce(v['max_connections'], v['consumers']) AS BIGINT)) AS most
FROM last
GROUP BY ALL
ORDER BY probe, container_name, key, duration_ms
