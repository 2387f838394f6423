-- Where does a server remember what of the simulated shop it holds? In a database that change data capture does not follow.
create database if not exists linli_simulator character set utf8mb4
