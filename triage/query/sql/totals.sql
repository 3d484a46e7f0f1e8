-- title: Records, errors and how they were classified (matched + benign + unclassified = records)
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- returns: records, errors, matched, benign, unclassified, lines
SELECT count(*) AS records,
       count(*) FILTER (WHERE severity_number >= 17) AS errors,
       count(*) FILTER (WHERE problem <> 'error.unclassified') AS matched,
       count(*) FILTER (WHERE problem IS NULL) AS benign,
       count(*) FILTER (WHERE problem = 'error.unclassified') AS unclassified,
       CAST(coalesce(sum(line_count), 0) AS BIGINT) AS lines
FROM logs
WHERE "timestamp" >= $since AND "timestamp" < $until
ORDER BY ALL
