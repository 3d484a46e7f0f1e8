-- title: Request latency, percentiles by step of time
-- param: since timestamptz
-- param: until timestamptz
-- param: step_s int = 60
-- returns: step, records, p50, p95
SELECT CAST(floor(epoch("timestamp" - $since) / $step_s) AS INTEGER) AS step,
       count(*) AS records,
       quantile_cont(duration_ms, 0.5) AS p50,
       quantile_cont(duration_ms, 0.95) AS p95
FROM answered($since, $until)
WHERE duration_ms IS NOT NULL
GROUP BY step
ORDER BY step
