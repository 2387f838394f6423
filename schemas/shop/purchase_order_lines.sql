-- Which goods does a purchase order hold?
CREATE TABLE IF NOT EXISTS {table} (
  purchase_order_id BIGINT UNSIGNED NOT NULL,
  line INT NOT NULL,
  community_id INT NOT NULL DEFAULT 0 COMMENT '社区 for whom, 0: 整仓 the warehouse itself',
  sku_id BIGINT NOT NULL,
  quantity INT NOT NULL COMMENT '订购数量 as ordered',
  confirmed INT COMMENT '确认数量 as the supplier answered, NULL: no answer',
  answer_version BIGINT UNSIGNED COMMENT '答复版本 the answer that is booked',
  received INT NOT NULL DEFAULT 0 COMMENT '已到货 received so far',
  cost DECIMAL(12,2) NOT NULL COMMENT '进价 of a piece',
  PRIMARY KEY (purchase_order_id, line),
  UNIQUE KEY (purchase_order_id, community_id, sku_id),
  KEY (sku_id)
) CHARACTER SET utf8mb4 COMMENT '采购明细 lines of purchase orders'
