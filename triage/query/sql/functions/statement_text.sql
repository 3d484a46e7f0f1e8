-- The text of a statement that the database logged with its duration, or printed with its plan.
(body, attributes) AS
    coalesce(attributes['postgres.query'], attributes['postgres.statement'],
             nullif(regexp_extract(body, '(?s)Query Text:\s*(.*?)(?:\n\s+\S.*\(cost=|$)', 1), ''),
             nullif(regexp_extract(body, '(?s)duration: [0-9.]+ ms\s+(?:statement|(?:parse|bind|execute) [^:]*):\s*(.*)', 1), ''))
