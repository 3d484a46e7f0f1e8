-- title: How many records of a problem each service wrote in a stretch of time, its end included
-- param: since timestamptz
-- param: until timestamptz
-- param: problem varchar
-- returns: service_name, records, first_seen, last_seen
SELECT service_name, count(*) AS records, min("timestamp") AS first_seen, max("timestamp") AS last_seen
FROM errors
WHERE "timestamp" >= $since AND "timestamp" <= $until AND (problem = $problem OR list_contains(problems, $problem))
GROUP BY service_name
ORDER BY records DESC, service_name
