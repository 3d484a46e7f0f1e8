-- title: Answered requests by service and class of their status
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, code, requests
SELECT service_name, (status_code // 100) || 'xx' AS code, count(*) AS requests
FROM requests
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY ALL
ORDER BY service_name, code
