-- What is cheaper for a while?
CREATE TABLE IF NOT EXISTS {table} (
  promotion_id BIGINT NOT NULL,
  kind VARCHAR(20) NOT NULL COMMENT 'limited_time, spend_and_save, gift',
  name VARCHAR(80) NOT NULL,
  name_en VARCHAR(80) NOT NULL,
  percent_off INT,
  status VARCHAR(20) NOT NULL,
  starts_at DATETIME(3) NOT NULL,
  ends_at DATETIME(3) NOT NULL,
  PRIMARY KEY (promotion_id)
) CHARACTER SET utf8mb4 COMMENT '促销 promotions'
