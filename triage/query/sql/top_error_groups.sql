-- title: Errors by fingerprint, the most frequent first
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: most int = 20
-- returns: fingerprint, problem, exception_type, template, services, records, first_seen, last_seen, record_ids
SELECT fingerprint,
       min_by(problem, ("timestamp", record_id)) AS problem,
       min_by(exception_type, ("timestamp", record_id)) AS exception_type,
       min_by(coalesce(template, message), ("timestamp", record_id)) AS template,
       list_sort(list(DISTINCT service_name)) AS services,
       count(*) AS records, min("timestamp") AS first_seen, max("timestamp") AS last_seen,
       min(record_id, 5) AS record_ids
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND severity_number >= 17
GROUP BY fingerprint
ORDER BY records DESC, first_seen, fingerprint
LIMIT $most
