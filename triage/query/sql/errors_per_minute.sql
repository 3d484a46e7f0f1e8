-- title: Errors per minute and service
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: minute, service_name, errors
SELECT time_bucket(INTERVAL 1 MINUTE, "timestamp") AS minute, service_name, count(*) AS errors
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND severity_number >= 17
GROUP BY minute, service_name
ORDER BY minute, service_name
