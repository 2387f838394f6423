-- What is offered, before its specifications?
CREATE TABLE IF NOT EXISTS {table} (
  product_id BIGINT NOT NULL,
  category_id INT NOT NULL,
  brand_id INT,
  title VARCHAR(120) NOT NULL,
  title_en VARCHAR(200) NOT NULL DEFAULT '',
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (product_id),
  KEY (category_id)
) CHARACTER SET utf8mb4 COMMENT '商品 products'
