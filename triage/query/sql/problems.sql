-- title: Records by primary problem and service
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: problem, service_name, records, first_seen, last_seen, example
SELECT problem, service_name, count(*) AS records, min("timestamp") AS first_seen, max("timestamp") AS last_seen,
       min_by(record_id, ("timestamp", record_id)) AS example
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NOT NULL
GROUP BY problem, service_name
ORDER BY records DESC, problem, service_name
