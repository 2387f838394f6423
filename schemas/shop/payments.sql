-- How was an order paid?
CREATE TABLE IF NOT EXISTS {table} (
  payment_id BIGINT UNSIGNED NOT NULL,
  order_id BIGINT UNSIGNED NOT NULL,
  community_id INT NOT NULL,
  user_id BIGINT NOT NULL,
  gateway VARCHAR(20) NOT NULL COMMENT '支付渠道 wechat, alipay',
  amount DECIMAL(12,2) NOT NULL,
  refunded DECIMAL(12,2) NOT NULL DEFAULT 0.00,
  status VARCHAR(20) NOT NULL COMMENT 'paid, partly_refunded, refunded',
  paid_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (payment_id),
  KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '支付 payments'
