-- title: Answered requests by route and status
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, method, route, status_code, requests, p95_ms
SELECT service_name, method, route, status_code, count(*) AS requests, quantile_cont(duration_ms, 0.95) AS p95_ms
FROM answered($since, $until)
GROUP BY service_name, method, route, status_code
ORDER BY requests DESC, service_name, method, route, status_code
