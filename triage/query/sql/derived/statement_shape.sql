-- The statement's text with its literals masked, on one line.
CASE WHEN statement_kind IS NOT NULL
     THEN regexp_replace(regexp_replace(statement_text(body, attributes),
         '''(?:[^'']|'''')*''|\$[0-9]+|\b[0-9]+(?:\.[0-9]+)?\b', '?', 'g'), '\s+', ' ', 'g') END
