-- Which goods does a purchase order hold?
CREATE TABLE IF NOT EXISTS {table} (
  purchase_order_id BIGINT UNSIGNED NOT NULL,
  line INT NOT NULL,
  sku_id BIGINT NOT NULL,
  quantity INT NOT NULL,
  received INT NOT NULL DEFAULT 0 COMMENT '已到货 received so far',
  cost DECIMAL(12,2) NOT NULL,
  PRIMARY KEY (purchase_order_id, line),
  KEY (sku_id)
) CHARACTER SET utf8mb4 COMMENT '采购明细 lines of purchase orders'
