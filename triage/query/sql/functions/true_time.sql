-- A record's time by the clock that the others go by; `ahead` says by how many seconds those of services are ahead, as
-- JSON: {"worker": 90}. A record that has no clock but the engine's needs none.
(stated, observed, service, ahead) AS
    CASE WHEN ahead = '{}' OR stated IS NOT DISTINCT FROM observed THEN stated
         ELSE stated - to_microseconds(CAST(1e6 * coalesce(from_json(ahead, '"MAP(VARCHAR, DOUBLE)"')[service], 0) AS BIGINT))
    END
