-- Who has which coupon, and was it used?
CREATE TABLE IF NOT EXISTS {table} (
  grant_id BIGINT UNSIGNED NOT NULL,
  coupon_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  order_id BIGINT UNSIGNED COMMENT '使用订单 where it was used',
  granted_at DATETIME(3) NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  used_at DATETIME(3),
  PRIMARY KEY (grant_id),
  KEY (user_id)
) CHARACTER SET utf8mb4 COMMENT '领券 granted coupons'
