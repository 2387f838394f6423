-- What was ordered from suppliers?
CREATE TABLE IF NOT EXISTS {table} (
  purchase_order_id BIGINT UNSIGNED NOT NULL,
  supplier_id INT NOT NULL,
  warehouse_id INT NOT NULL,
  status VARCHAR(20) NOT NULL COMMENT 'draft, sent, confirmed, received, canceled',
  restock_run VARCHAR(40) COMMENT '补货批次 the run that suggested it',
  amount DECIMAL(12,2) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  sent_at DATETIME(3),
  expected_on DATE COMMENT '预计到货 expected',
  received_at DATETIME(3),
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (purchase_order_id),
  KEY (supplier_id, created_at)
) CHARACTER SET utf8mb4 COMMENT '采购单 purchase orders'
