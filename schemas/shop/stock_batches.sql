-- What expires when?
CREATE TABLE IF NOT EXISTS {table} (
  batch_id BIGINT UNSIGNED NOT NULL,
  warehouse_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  supplier_id INT NOT NULL,
  quantity INT NOT NULL COMMENT '入库数量 as received',
  produced_on DATE NOT NULL COMMENT '生产日期 produced',
  expires_on DATE NOT NULL COMMENT '到期日 expires',
  received_at DATETIME(3) NOT NULL,
  PRIMARY KEY (batch_id),
  KEY (warehouse_id, sku_id, expires_on)
) CHARACTER SET utf8mb4 COMMENT '库存批次 batches of stock'
