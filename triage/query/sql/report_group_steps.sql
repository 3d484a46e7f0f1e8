-- title: Records of some fingerprints by step of time
-- param: since timestamptz
-- param: until timestamptz
-- param: step_s int = 60
-- param: fingerprints ubigint[]
-- param: errors_only boolean = true
-- returns: fingerprint, step, records
SELECT fingerprint, CAST(floor(epoch("timestamp" - $since) / $step_s) AS INTEGER) AS step, count(*) AS records
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
  AND list_contains(CAST($fingerprints AS UBIGINT[]), fingerprint)
  AND (severity_number >= 17 OR NOT $errors_only)
GROUP BY ALL
ORDER BY fingerprint, step
