-- Who buys?
CREATE TABLE IF NOT EXISTS {table} (
  user_id BIGINT NOT NULL,
  community_id INT NOT NULL,
  name VARCHAR(80) COMMENT '姓名 personal',
  phone VARCHAR(20) NOT NULL COMMENT '手机 personal',
  level TINYINT NOT NULL DEFAULT 0 COMMENT '会员等级 membership level',
  points INT NOT NULL DEFAULT 0 COMMENT '积分 points',
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (user_id),
  KEY (community_id)
) CHARACTER SET utf8mb4 COMMENT '用户 users'
