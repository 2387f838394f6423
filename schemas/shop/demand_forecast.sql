-- Read back: how much will be wanted?
CREATE TABLE IF NOT EXISTS {table} (
  community_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  step_on DATE NOT NULL COMMENT '预测日 day',
  run VARCHAR(40) NOT NULL COMMENT '批次 the run that wrote it',
  model VARCHAR(40) NOT NULL,
  mean DOUBLE NOT NULL,
  q10 DOUBLE NOT NULL COMMENT 'quantile 0.1',
  q25 DOUBLE NOT NULL,
  q50 DOUBLE NOT NULL,
  q75 DOUBLE NOT NULL,
  q80 DOUBLE NOT NULL,
  q90 DOUBLE NOT NULL,
  q95 DOUBLE NOT NULL,
  q99 DOUBLE NOT NULL,
  version BIGINT UNSIGNED NOT NULL COMMENT '新者胜 the higher replaces',
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (community_id, sku_id, step_on)
) CHARACTER SET utf8mb4 COMMENT '需求预测 demand forecast, written by Linli'
