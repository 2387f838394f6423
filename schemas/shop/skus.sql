-- What can be put in a cart, at which price?
CREATE TABLE IF NOT EXISTS {table} (
  sku_id BIGINT NOT NULL,
  product_id BIGINT COMMENT '商品 NULL where it has one specification only',
  category_id INT NOT NULL,
  brand_id INT,
  supplier_id INT NOT NULL,
  title VARCHAR(120) NOT NULL,
  title_en VARCHAR(200) NOT NULL,
  spec VARCHAR(80) NOT NULL COMMENT '规格 specification',
  price DECIMAL(12,2) NOT NULL,
  cost DECIMAL(12,2) NOT NULL COMMENT '进价 purchase price',
  shelf_days INT NOT NULL COMMENT '保质期天数 shelf life',
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (sku_id),
  KEY (product_id),
  KEY (supplier_id)
) CHARACTER SET utf8mb4 COMMENT '规格 skus: what is sold'
