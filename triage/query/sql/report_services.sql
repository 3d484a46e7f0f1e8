-- title: What each service wrote in the window, and how its records were classified
-- param: since timestamptz
-- param: until timestamptz
-- returns: service_name, source, records, errors, problems, unclassified, benign, first_seen, last_seen
SELECT service_name,
       mode(source) AS source,
       count(*) AS records,
       count(*) FILTER (WHERE severity_number >= 17) AS errors,
       count(*) FILTER (WHERE problem <> 'error.unclassified') AS problems,
       count(*) FILTER (WHERE problem = 'error.unclassified') AS unclassified,
       count(*) FILTER (WHERE problem IS NULL) AS benign,
       min("timestamp") AS first_seen,
       max("timestamp") AS last_seen
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
GROUP BY service_name
ORDER BY records DESC, service_name
