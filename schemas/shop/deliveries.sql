-- Where is a shipment?
CREATE TABLE IF NOT EXISTS {table} (
  delivery_id BIGINT UNSIGNED NOT NULL,
  order_id BIGINT UNSIGNED NOT NULL,
  community_id INT NOT NULL,
  leader_id BIGINT,
  warehouse_id INT NOT NULL,
  tracking_no VARCHAR(40) NOT NULL,
  status VARCHAR(20) NOT NULL COMMENT 'shipped, delivered',
  shipped_at DATETIME(3) NOT NULL,
  promised_at DATETIME(3) NOT NULL,
  delivered_at DATETIME(3),
  PRIMARY KEY (delivery_id),
  KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '配送 deliveries'
