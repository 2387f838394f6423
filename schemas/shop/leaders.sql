-- Who runs the pick-up points?
CREATE TABLE IF NOT EXISTS {table} (
  leader_id BIGINT NOT NULL,
  community_id INT NOT NULL,
  name VARCHAR(80) NOT NULL COMMENT '姓名 personal',
  name_en VARCHAR(80) NOT NULL COMMENT 'personal',
  phone VARCHAR(20) NOT NULL COMMENT '手机 personal',
  PRIMARY KEY (leader_id),
  KEY (community_id)
) CHARACTER SET utf8mb4 COMMENT '团长 leaders'
