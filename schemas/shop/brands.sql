-- Whose goods are they?
CREATE TABLE IF NOT EXISTS {table} (
  brand_id INT NOT NULL,
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  PRIMARY KEY (brand_id)
) CHARACTER SET utf8mb4 COMMENT '品牌 brands'
