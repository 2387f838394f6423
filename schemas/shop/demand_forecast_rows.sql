-- How much will be wanted, by every run that is kept? Read by the view demand_forecast.
CREATE TABLE IF NOT EXISTS {table} (
  run VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT '批次 the run that wrote it',
  warehouse_id INT NOT NULL,
  community_id INT NOT NULL COMMENT '0: 整仓 the whole warehouse',
  sku_id BIGINT NOT NULL,
  step_on DATE NOT NULL COMMENT '预测日 day',
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
  PRIMARY KEY (run, warehouse_id, community_id, sku_id, step_on)
) CHARACTER SET utf8mb4 COMMENT '需求预测 demand forecasts by run, written by Linli'
