-- Read back: which group does a buyer belong to?
CREATE TABLE IF NOT EXISTS {table} (
  user_id BIGINT NOT NULL,
  community_id INT NOT NULL,
  segment VARCHAR(40) NOT NULL COMMENT '分群 segment',
  recency_days INT NOT NULL COMMENT '最近购买距今天数 R',
  frequency INT NOT NULL COMMENT '购买次数 F',
  monetary DECIMAL(12,2) NOT NULL COMMENT '消费金额 M',
  version BIGINT UNSIGNED NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (user_id),
  KEY (segment, community_id)
) CHARACTER SET utf8mb4 COMMENT '用户分群 segments of users, written by Linli'
