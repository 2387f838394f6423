-- What was given back, when and why?
CREATE TABLE IF NOT EXISTS {table} (
  refund_id BIGINT UNSIGNED NOT NULL,
  order_id BIGINT UNSIGNED NOT NULL,
  community_id INT NOT NULL,
  user_id BIGINT NOT NULL,
  item_id BIGINT UNSIGNED COMMENT '明细 NULL for the whole order',
  amount DECIMAL(12,2) NOT NULL,
  reason VARCHAR(80) NOT NULL COMMENT '原因 reason',
  status VARCHAR(20) NOT NULL COMMENT 'requested, refunded, refused',
  requested_at DATETIME(3) NOT NULL,
  refunded_at DATETIME(3),
  PRIMARY KEY (refund_id),
  KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '退款 refunds'
