-- Up to which change of the shop has each lane committed? Written in the transaction of the rows.
create table if not exists linli_simulator.lanes (
  lane int not null,
  day int not null comment 'days since 1970-01-01',
  number bigint unsigned not null comment 'of the next change of the day',
  primary key (lane)
)
