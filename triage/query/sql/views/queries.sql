-- One row per statement that the database logged with its duration (a plan of auto_explain is a row of its own).
SELECT "timestamp", service_name, duration_ms, process_id,
       CASE WHEN contains(body, 'plan:') AND regexp_matches(body, '\bplan:\s') THEN 'plan' ELSE 'statement' END AS kind,
       coalesce(attributes['postgres.query'], attributes['postgres.statement'],
                nullif(regexp_extract(body, '(?s)Query Text:\s*(.*?)(?:\n\s+\S.*\(cost=|$)', 1), ''),
                nullif(regexp_extract(body,
                    '(?s)duration: [0-9.]+ ms\s+(?:statement|(?:parse|bind|execute) [^:]*):\s*(.*)', 1), '')) AS query,
       attributes['postgres.parameters'] AS parameters,
       attributes['postgres.database'] AS database,
       problem, message, body, record_id, origin, position
FROM logs
WHERE source = 'postgres' AND duration_ms IS NOT NULL
  AND contains(body, 'duration: ') AND regexp_matches(body, 'duration: [0-9.]+ ms')
