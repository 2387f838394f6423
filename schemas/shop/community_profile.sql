-- Read back: how does a community buy?
CREATE TABLE IF NOT EXISTS {table} (
  community_id INT NOT NULL,
  as_of DATE NOT NULL,
  consumption_index DOUBLE NOT NULL COMMENT '消费指数 100 is the median of the city',
  active_households INT NOT NULL COMMENT '活跃户数',
  spend_per_household DECIMAL(12,2) NOT NULL COMMENT '户均消费',
  orders_per_household DOUBLE NOT NULL,
  category_breadth DOUBLE NOT NULL COMMENT '品类广度',
  repurchase_rate DOUBLE NOT NULL COMMENT '30 天复购率',
  profile JSON NOT NULL COMMENT '标签 tags and preferences',
  version BIGINT UNSIGNED NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (community_id)
) CHARACTER SET utf8mb4 COMMENT '社区画像 community profiles, written by Linli'
