-- title: Records without a problem by service and step of time: how busy a service is
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: step_s int = 10
-- returns: service_name, step, records
-- In whole numbers: taking a time with a zone apart costs ten times as much as counting. Weeks begin on Mondays.
SELECT service_name, make_timestamptz(CAST(946857600000000 + bucket * $step_s * 1000000 AS BIGINT)) AS step, records
FROM (SELECT service_name, (epoch_us("timestamp") - 946857600000000) // ($step_s * 1000000) AS bucket, count(*) AS records
      FROM logs
      WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NULL
      GROUP BY service_name, bucket)
ORDER BY service_name, step
