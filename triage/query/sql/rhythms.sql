-- title: Messages that come regularly: each silence of five periods or more, and the one before the window's end
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: periods double = 5
-- returns: what, kind, service_name, records, period_s, last_seen, silent_s, resumed_at, record_id
WITH series AS NOT MATERIALIZED (
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
), slow AS (
    -- What comes often has no period of a second: then half of its intervals, and nearly all halves of it, fit in.
    SELECT hash(what, kind, service_name) AS series_id, what, kind, service_name, count(*) AS records
    FROM series
    WHERE what IS NOT NULL
    GROUP BY ALL
    HAVING count(*) >= 5 AND epoch(max("timestamp") - min("timestamp")) >= 0.6 * (count(*) - 1)
), gaps AS (
    SELECT *, lead("timestamp") OVER (PARTITION BY series_id ORDER BY "timestamp", record_id) AS next
    FROM (SELECT hash(what, kind, service_name) AS series_id, "timestamp", record_id FROM series)
         SEMI JOIN slow USING (series_id)
), ending AS (
    SELECT max("timestamp") AS last FROM logs WHERE "timestamp" >= $since AND "timestamp" < $until
), timed AS (
    SELECT gaps.*, epoch(coalesce(next, ending.last) - "timestamp") AS gap_s FROM gaps, ending
), habits AS (
    SELECT series_id, median(gap_s) FILTER (WHERE next IS NOT NULL) AS period_s,
           quantile_cont(gap_s, 0.9) FILTER (WHERE next IS NOT NULL) AS p90_s,
           quantile_cont(gap_s, 0.1) FILTER (WHERE next IS NOT NULL) AS p10_s
    FROM timed
    GROUP BY series_id
)
-- A rhythm is five times at least, the middle 80 % of its intervals within half and one and a half of the median.
SELECT what, kind, service_name, records, period_s, "timestamp" AS last_seen, gap_s AS silent_s,
       next AS resumed_at, record_id
FROM timed JOIN habits USING (series_id) JOIN slow USING (series_id)
WHERE period_s >= 1 AND p90_s <= 1.5 * period_s AND p10_s >= 0.5 * period_s AND gap_s >= $periods * period_s
ORDER BY last_seen, kind, service_name, what, record_id
