-- The statement's text with its literals masked, on one line.
CASE WHEN source = 'postgres' AND duration_ms IS NOT NULL
          AND contains(body, 'duration: ') AND regexp_matches(body, 'duration: [0-9.]+ ms')
     THEN regexp_replace(regexp_replace(
         coalesce(attributes['postgres.query'], attributes['postgres.statement'],
                  nullif(regexp_extract(body, '(?s)Query Text:\s*(.*?)(?:\n\s+\S.*\(cost=|$)', 1), ''),
                  nullif(regexp_extract(body,
                      '(?s)duration: [0-9.]+ ms\s+(?:statement|(?:parse|bind|execute) [^:]*):\s*(.*)', 1), '')),
         '''(?:[^'']|'''')*''|\$[0-9]+|\b[0-9]+(?:\.[0-9]+)?\b', '?', 'g'), '\s+', ' ', 'g') END
