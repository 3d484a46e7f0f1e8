-- title: Records and errors by service
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, records, errors, problems, first_seen, last_seen
SELECT service_name, count(*) AS records,
       count(*) FILTER (WHERE severity_number >= 17) AS errors,
       count(problem) AS problems,
       min("timestamp") AS first_seen, max("timestamp") AS last_seen
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY service_name
ORDER BY service_name
