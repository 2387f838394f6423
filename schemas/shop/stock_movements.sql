-- Why did the stock change?
CREATE TABLE IF NOT EXISTS {table} (
  movement_id BIGINT UNSIGNED NOT NULL,
  warehouse_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  kind VARCHAR(20) NOT NULL COMMENT '类型 kind',
  quantity INT NOT NULL COMMENT '数量 negative for what leaves',
  moved_at DATETIME(3) NOT NULL,
  PRIMARY KEY (movement_id),
  KEY (warehouse_id, sku_id)
) CHARACTER SET utf8mb4 COMMENT '库存流水 stock movements'
