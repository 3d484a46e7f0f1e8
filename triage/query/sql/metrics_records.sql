-- title: Records by service and problem
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, problem, records
SELECT service_name, coalesce(problem, '') AS problem, count(*) AS records
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY ALL
ORDER BY service_name, problem
