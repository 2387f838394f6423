-- Which run do readers see?
CREATE TABLE IF NOT EXISTS {table} (
  one TINYINT NOT NULL DEFAULT 1 COMMENT 'there is one row',
  run VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  named_at DATETIME(3) NOT NULL,
  PRIMARY KEY (one)
) CHARACTER SET utf8mb4 COMMENT '当前批次 the run that readers see, written by Linli'
