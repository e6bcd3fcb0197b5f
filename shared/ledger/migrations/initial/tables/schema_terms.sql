-- Which revision code must know at least to work with this database. One row.

CREATE TABLE schema_terms (
    oldest_code varchar PRIMARY KEY
);

INSERT INTO schema_terms (oldest_code) VALUES ('r0001');
