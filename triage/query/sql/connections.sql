-- title: Connections that were refused, lost or waited for in vain
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: problem, service_name, records, first_seen, last_seen, size, record_ids
SELECT problem, service_name, count(*) AS records, min("timestamp") AS first_seen, max("timestamp") AS last_seen,
       max(try_cast(regexp_extract(body, 'limit of size ([0-9]+)', 1) AS INTEGER)
           + try_cast(regexp_extract(body, 'overflow ([0-9]+)', 1) AS INTEGER)) AS size,
       min(record_id, 5) AS record_ids
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until
  AND problem IN ('db.pool_exhausted', 'db.too_many_connections', 'db.connection_lost', 'broker.connection_lost')
GROUP BY problem, service_name
ORDER BY first_seen, problem, service_name
