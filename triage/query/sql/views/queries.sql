-- One row per statement that the database logged with its duration (a plan of auto_explain is a row of its own).
SELECT "timestamp", service_name, duration_ms, process_id,
       statement_kind AS kind,
       statement_text(body, attributes) AS query,
       statement_shape AS shape,  -- the query with its literals masked
       attributes['postgres.parameters'] AS parameters,
       attributes['postgres.database'] AS database,
       problem, message, body, record_id, origin, position
FROM stored
WHERE source = 'postgres' AND duration_ms IS NOT NULL AND statement_kind IS NOT NULL
