-- title: Each service's clock against the engine's receive time
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: service_name, records, median_s, p10_s, p90_s
SELECT service_name, count(*) AS records,
       median(epoch("timestamp" - observed_timestamp)) AS median_s,
       quantile_cont(epoch("timestamp" - observed_timestamp), 0.1) AS p10_s,
       quantile_cont(epoch("timestamp" - observed_timestamp), 0.9) AS p90_s
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until AND observed_timestamp IS NOT NULL
  AND "timestamp" <> observed_timestamp -- a record without a clock of its own says nothing of it
GROUP BY service_name
ORDER BY service_name
