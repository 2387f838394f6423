-- What kinds of goods are sold?
CREATE TABLE IF NOT EXISTS {table} (
  category_id INT NOT NULL,
  code VARCHAR(40) NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  parent_id INT COMMENT '上级品类 parent, NULL for a root',
  PRIMARY KEY (category_id),
  UNIQUE KEY (code)
) CHARACTER SET utf8mb4 COMMENT '商品品类 categories'
