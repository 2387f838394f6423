-- How much is on hand and reserved?
CREATE TABLE IF NOT EXISTS {table} (
  warehouse_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  on_hand INT NOT NULL COMMENT '在库 on hand',
  reserved INT NOT NULL COMMENT '预占 reserved',
  min_stock INT COMMENT '安全库存 warn below',
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (warehouse_id, sku_id)
) CHARACTER SET utf8mb4 COMMENT '库存 stock'
