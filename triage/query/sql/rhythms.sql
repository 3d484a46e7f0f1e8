-- title: What came regularly or often, and each long silence of it: Beat's entries, tasks, heartbeats, whole services
-- param: since timestamptz = 1970-01-01
-- param: until timestamptz = 9999-12-31
-- param: periods double = 5
-- param: gaps double = 14
-- param: history_s int = 86400
-- returns: what, kind, service_name, records, period_s, last_seen, silent_s, resumed_at, record_id
-- Habits are learnt from the window and from $history_s before it: what stopped earlier is missing from all of a window.
WITH seen AS NOT MATERIALIZED (
    SELECT source, attribute_entry, attribute_state, template, message, task_name, service_name, problem, "timestamp",
           position, fingerprint
    FROM stored
    WHERE "timestamp" >= $since - to_seconds($history_s) AND "timestamp" < $until
), benign AS NOT MATERIALIZED (
    SELECT * FROM seen WHERE problem IS NULL AND fingerprint IS NOT NULL
), tens AS MATERIALIZED (
    -- Of a service the last record in ten seconds is enough; of Beat, its entries tell more.
    SELECT service_name, max("timestamp") AS "timestamp"
    FROM seen
    WHERE source IS DISTINCT FROM 'beat'
    GROUP BY service_name, epoch_us("timestamp") // 10000000
), series AS NOT MATERIALIZED (
    -- Each kind apart: then texts are read only where they are looked at.
    SELECT coalesce(attribute_entry, template, message) AS what, 'beat' AS kind, service_name, "timestamp", position
    FROM benign
    WHERE source = 'beat' AND contains(message, 'Sending due task')
    UNION ALL
    SELECT task_name, 'task', service_name, "timestamp", position
    FROM benign
    WHERE source <> 'beat' AND attribute_state = 'received'
    UNION ALL
    SELECT template, 'heartbeat', service_name, "timestamp", position
    FROM benign
    WHERE source <> 'beat' AND attribute_state IS DISTINCT FROM 'received' AND template IS NOT NULL
    UNION ALL
    SELECT message, 'heartbeat', service_name, "timestamp", position
    FROM benign
    WHERE source <> 'beat' AND attribute_state IS DISTINCT FROM 'received' AND template IS NULL
    UNION ALL
    SELECT service_name, 'service', service_name, "timestamp", NULL FROM tens
), often AS MATERIALIZED (
    -- What comes often has no period of a second: then half of its intervals, and nearly all halves of it, fit in.
    SELECT row_number() OVER () AS series_id, *, kind = 'task' AND span_us < 6e5 * (records - 1) AS dense
    FROM (SELECT what, kind, service_name, count(*) AS records, epoch_us(max("timestamp")) - epoch_us(min("timestamp")) AS span_us
          FROM series
          WHERE what IS NOT NULL
          GROUP BY ALL
          HAVING count(*) >= 5 AND (kind IN ('task', 'service') OR span_us >= 6e5 * (count(*) - 1)))
), spaced AS NOT MATERIALIZED (
    SELECT series_id, kind, "timestamp", position,
           lead("timestamp") OVER (PARTITION BY series_id ORDER BY "timestamp", position) AS next
    FROM series JOIN (FROM often WHERE NOT dense) USING (what, kind, service_name)
    UNION ALL
    -- Of a task that comes many times a second only silences of a minute count: those between tens of seconds.
    SELECT series_id, kind, max("timestamp"), arg_max(position, "timestamp"),
           lead(min("timestamp")) OVER (PARTITION BY series_id ORDER BY epoch_us("timestamp") // 10000000)
    FROM series JOIN (FROM often WHERE dense) USING (what, kind, service_name)
    WHERE kind = 'task'
    GROUP BY series_id, kind, epoch_us("timestamp") // 10000000
), timed AS (
    SELECT s.*, (epoch_us(coalesce(next, ending.last)) - epoch_us("timestamp")) / 1e6 AS gap_s
    FROM spaced s, (SELECT max("timestamp") AS last FROM seen) ending
), habits AS (
    SELECT series_id, max(gap_s, 2)[2] AS next_longest_s,
           CASE WHEN NOT any_value(dense) THEN median(gap_s) FILTER (WHERE next IS NOT NULL) END AS period_s,
           CASE WHEN NOT any_value(dense) THEN quantile_cont(gap_s, 0.9) FILTER (WHERE next IS NOT NULL) END AS p90_s,
           CASE WHEN NOT any_value(dense) THEN quantile_cont(gap_s, 0.1) FILTER (WHERE next IS NOT NULL) END AS p10_s,
           any_value(span_us) / 1e6 / (any_value(records) - 1) AS mean_s
    FROM timed JOIN often USING (series_id)
    GROUP BY series_id
), silences AS MATERIALIZED (
    SELECT what, often.kind, service_name, records,
           CASE WHEN p90_s <= 1.5 * period_s AND p10_s >= 0.5 * period_s THEN period_s ELSE mean_s END AS period_s,
           "timestamp" AS last_seen, gap_s AS silent_s, next AS resumed_at, position
    FROM timed JOIN habits USING (series_id) JOIN often USING (series_id)
    WHERE coalesce(next, $until) > $since
      -- A rhythm is five times at least, the middle 80 % of its intervals within half and one and a half of the median.
      AND ((period_s >= 1 AND p90_s <= 1.5 * period_s AND p10_s >= 0.5 * period_s AND gap_s >= $periods * period_s)
        -- What comes by chance is silent for fourteen of its mean intervals once in a million; clumps have longer silences,
        -- but then more than one.
        OR (timed.kind IN ('task', 'service') AND records >= 10 AND gap_s >= greatest(60, $gaps * mean_s, 3 * next_longest_s)))
)
SELECT what, kind, silences.service_name, records, period_s, last_seen, silent_s, resumed_at, min(record_id) AS record_id
FROM silences JOIN logs ON logs."timestamp" = last_seen AND logs.service_name = silences.service_name
                       AND (logs.position = silences.position OR silences.position IS NULL)
GROUP BY ALL
ORDER BY last_seen, kind, silences.service_name, what, record_id
