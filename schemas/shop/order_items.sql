-- Which goods are in an order?
CREATE TABLE IF NOT EXISTS {table} (
  item_id BIGINT UNSIGNED NOT NULL,
  order_id BIGINT UNSIGNED NOT NULL,
  community_id INT NOT NULL,
  sku_id BIGINT NOT NULL,
  category_id INT COMMENT '成交时品类 as of the sale',
  supplier_id INT COMMENT '成交时供应商 as of the sale',
  qty INT NOT NULL,
  price DECIMAL(12,2) NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  title VARCHAR(120) NOT NULL,
  weight_kg DECIMAL(8,3),
  refunded TINYINT NOT NULL DEFAULT 0,
  PRIMARY KEY (item_id),
  KEY (order_id)
) CHARACTER SET utf8mb4 COMMENT '订单明细 lines of orders'
