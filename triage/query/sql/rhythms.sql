-- title: Messages that come regularly: each silence of five periods or more, and the one before the window's end
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: periods double = 5
-- returns: what, kind, service_name, records, period_s, last_seen, silent_s, resumed_at, record_id
WITH series AS (
    SELECT CASE WHEN source = 'beat' THEN coalesce(attributes['beat.entry'], template)
                WHEN attributes['celery.state'] = 'received' THEN task_name
                ELSE coalesce(template, message) END AS what,
           CASE WHEN source = 'beat' THEN 'beat'
                WHEN attributes['celery.state'] = 'received' THEN 'task'
                ELSE 'heartbeat' END AS kind,
           service_name, "timestamp", record_id
    FROM logs
    WHERE "timestamp" >= $since AND "timestamp" < $until AND problem IS NULL AND fingerprint IS NOT NULL
      AND (source <> 'beat' OR contains(message, 'Sending due task'))
), gaps AS (
    SELECT *, lead("timestamp") OVER (PARTITION BY what, kind, service_name ORDER BY "timestamp", record_id) AS next
    FROM series
    WHERE what IS NOT NULL
), ending AS (
    SELECT max("timestamp") AS last FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until
), timed AS (
    SELECT gaps.*, epoch(coalesce(next, ending.last) - "timestamp") AS gap_s FROM gaps, ending
), habits AS (
    SELECT what, kind, service_name, count(*) AS records, median(gap_s) FILTER (WHERE next IS NOT NULL) AS period_s,
           quantile_cont(gap_s, 0.9) FILTER (WHERE next IS NOT NULL) AS p90_s,
           quantile_cont(gap_s, 0.1) FILTER (WHERE next IS NOT NULL) AS p10_s
    FROM timed
    GROUP BY what, kind, service_name
)
-- A rhythm is five times at least, the middle 80 % of its intervals within half and one and a half of the median.
SELECT what, kind, service_name, records, period_s, "timestamp" AS last_seen, gap_s AS silent_s,
       next AS resumed_at, record_id
FROM timed JOIN habits USING (what, kind, service_name)
WHERE records >= 5 AND period_s >= 1 AND p90_s <= 1.5 * period_s AND p10_s >= 0.5 * period_s
  AND gap_s >= $periods * period_s
ORDER BY last_seen, kind, service_name, what, record_id
