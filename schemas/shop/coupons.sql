-- Which discounts can be granted?
CREATE TABLE IF NOT EXISTS {table} (
  coupon_id BIGINT NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  threshold DECIMAL(12,2) NOT NULL COMMENT '满额 least amount of the order',
  discount DECIMAL(12,2) NOT NULL COMMENT '减额 amount off',
  valid_days INT NOT NULL,
  PRIMARY KEY (coupon_id)
) CHARACTER SET utf8mb4 COMMENT '优惠券 coupons'
