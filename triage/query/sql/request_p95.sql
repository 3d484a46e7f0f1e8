-- title: 95th percentile of the response time by step of time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 300
-- returns: step, requests, p95_ms
SELECT to_timestamp(epoch($since) + $step_s * floor(epoch("timestamp" - $since) / $step_s)) AS step,
       count(*) AS requests, quantile_cont(duration_ms, 0.95) AS p95_ms
FROM answered($since, $until)
WHERE duration_ms IS NOT NULL
GROUP BY step
ORDER BY step
