-- Which runs were there, and what came of them?
CREATE TABLE IF NOT EXISTS {table} (
  run VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  business_date DATE NOT NULL COMMENT '营业日 the day at whose close it was made',
  state VARCHAR(20) NOT NULL COMMENT 'building, complete, withdrawn, removing, removed',
  policy VARCHAR(40) NOT NULL,
  policy_version VARCHAR(40) NOT NULL,
  demand_rows BIGINT UNSIGNED COMMENT '行数 rows of demand_forecast_rows, NULL while it is built',
  suggestion_rows BIGINT UNSIGNED COMMENT 'rows of restock_suggestion_rows',
  ready_rows BIGINT UNSIGNED COMMENT 'those that may be ordered',
  pieces BIGINT UNSIGNED COMMENT '件数 sum of quantity',
  started_at DATETIME(3) NOT NULL,
  published_at DATETIME(3) COMMENT '发布时间 when its records were published',
  completed_at DATETIME(3) COMMENT 'since when it could be read',
  PRIMARY KEY (run),
  KEY (business_date)
) CHARACTER SET utf8mb4 COMMENT '补货批次 runs, written by Linli'
