-- title: Lowest and highest memory of each life of a container, in equal parts of its samples
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: parts int = 40
-- returns: service_name, container_name, container_id, life, part, timestamp, last_at, samples, lowest_bytes, highest_bytes, limit_bytes
WITH samples AS (
    SELECT *, sum(begins) OVER (PARTITION BY container_id ORDER BY "timestamp") AS life
    FROM (
        -- The processor's count begins anew with each start.
        SELECT *, CASE WHEN cpu_seconds < lag(cpu_seconds) OVER (PARTITION BY container_id ORDER BY "timestamp")
                       THEN 1 ELSE 0 END AS begins
        FROM container_stats
        WHERE "timestamp" >= $since AND "timestamp" < $until
    )
)
SELECT service_name, container_name, container_id, CAST(life AS INTEGER) AS life, CAST(part AS INTEGER) AS part,
       -- Of its lowest sample: the parts' lows are what a trend is drawn through.
       arg_min("timestamp", memory_bytes) AS "timestamp", max("timestamp") AS last_at, count(*) AS samples,
       min(memory_bytes) AS lowest_bytes, max(memory_bytes) AS highest_bytes, max(memory_limit_bytes) AS limit_bytes
FROM (SELECT *, ntile($parts) OVER (PARTITION BY container_id, life ORDER BY "timestamp") AS part FROM samples)
GROUP BY ALL
ORDER BY service_name, container_name, container_id, life, part
