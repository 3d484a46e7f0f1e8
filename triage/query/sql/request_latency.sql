-- title: Request latency by route, the slowest first
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: over_ms double = 1000
-- returns: service_name, method, route, requests, mean_ms, p50_ms, p95_ms, p99_ms, max_ms, slow
SELECT service_name, method, route, count(*) AS requests, avg(duration_ms) AS mean_ms,
       quantile_cont(duration_ms, 0.5) AS p50_ms, quantile_cont(duration_ms, 0.95) AS p95_ms,
       quantile_cont(duration_ms, 0.99) AS p99_ms, max(duration_ms) AS max_ms,
       count(*) FILTER (WHERE duration_ms > $over_ms) AS slow
FROM answered($since, $until)
WHERE duration_ms IS NOT NULL
GROUP BY service_name, method, route
ORDER BY p95_ms DESC, service_name, method, route
