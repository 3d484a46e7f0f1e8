-- title: Messages never seen before the window, or far above their usual rate
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: factor double = 5
-- param: most int = 50
-- returns: fingerprint, template, service_name, severity_text, severity_number, problem, kind, records, per_hour, usual_per_hour, first_seen, last_seen, record_id
WITH span AS (
    SELECT least($until, max("timestamp")) AS until, greatest($since, min("timestamp")) AS since, min("timestamp") AS oldest
    FROM logs
), hours AS (
    SELECT greatest(epoch(until - since) / 3600, 1 / 60) AS inside, epoch(since - oldest) / 3600 AS before FROM span
), groups AS (
    SELECT fingerprint, max(severity_number) FILTER (WHERE "timestamp" >= $since) AS severity_number,
           count(*) FILTER (WHERE "timestamp" >= $since) AS records,
           count(*) FILTER (WHERE "timestamp" < $since) AS earlier,
           min("timestamp") FILTER (WHERE "timestamp" >= $since) AS first_seen,
           max("timestamp") AS last_seen
    -- Without any history, nothing is read.
    FROM logs SEMI JOIN (SELECT true AS known FROM hours WHERE before > 0) ON known = (fingerprint IS NOT NULL)
    WHERE "timestamp" < $until AND fingerprint IS NOT NULL
    GROUP BY fingerprint
), chosen AS MATERIALIZED (
    SELECT fingerprint, severity_number, CASE WHEN earlier = 0 THEN 'new' ELSE 'rising' END AS kind,
           records, records / inside AS per_hour, coalesce(earlier / nullif(before, 0), 0) AS usual_per_hour,
           first_seen, last_seen
    FROM groups, hours
    -- Without any history everything is new, which says nothing.
    WHERE records > 0 AND before > 0
      AND (earlier = 0 OR (records >= 10 AND records / inside > $factor * earlier / before))
    ORDER BY coalesce(severity_number, 0) DESC, (earlier = 0) DESC, records DESC, fingerprint
    LIMIT $most
), told AS (
    -- Texts are read of these alone.
    SELECT fingerprint,
           min_by(coalesce(template, message), ("timestamp", record_id)) AS template,
           min_by(service_name, ("timestamp", record_id)) AS service_name,
           max_by(severity_text, coalesce(severity_number, 0)) AS severity_text,
           min_by(problem, ("timestamp", record_id)) AS problem,
           min_by(record_id, ("timestamp", record_id)) AS record_id
    FROM logs SEMI JOIN chosen USING (fingerprint)
    WHERE "timestamp" >= $since AND "timestamp" < $until
    GROUP BY fingerprint
)
SELECT fingerprint, template, service_name, severity_text, severity_number, problem, kind, records, per_hour, usual_per_hour,
       first_seen, last_seen, record_id
FROM chosen JOIN told USING (fingerprint)
ORDER BY coalesce(severity_number, 0) DESC, kind, records DESC, fingerprint
