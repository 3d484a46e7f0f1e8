-- title: Error groups of a day beside their count in the days before
-- param: since timestamptz
-- param: day timestamptz
-- param: until timestamptz
-- returns: fingerprint, template, problem, exception_type, services, today, before, first_seen, last_seen
SELECT fingerprint,
       arg_max(template, "timestamp") AS template,
       arg_max(problem, "timestamp") AS problem,
       arg_max(exception_type, "timestamp") AS exception_type,
       list_sort(list_distinct(list(service_name))) AS services,
       count(*) FILTER (WHERE "timestamp" >= $day) AS today,
       count(*) FILTER (WHERE "timestamp" < $day) AS before,
       min("timestamp") AS first_seen,
       max("timestamp") AS last_seen
FROM errors
WHERE "timestamp" >= $since AND "timestamp" < $until AND severity_number >= 17
GROUP BY fingerprint
ORDER BY today DESC, before DESC, fingerprint
