-- Which goods does a promotion hold, at which price?
CREATE TABLE IF NOT EXISTS {table} (
  promotion_id BIGINT NOT NULL,
  sku_id BIGINT NOT NULL,
  price DECIMAL(12,2) NOT NULL,
  PRIMARY KEY (promotion_id, sku_id)
) CHARACTER SET utf8mb4 COMMENT '促销商品 goods of promotions'
