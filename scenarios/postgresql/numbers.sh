#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the recording keeps of the database: lines of NAME NUMBER.
exec psql -h /tmp -U postgres -At -F ' ' <<'END'
select 'rows', count(*) from reading;
select 'dead_rows', n_dead_tup from pg_stat_user_tables where relname = 'reading';
select 'autovacuums', autovacuum_count from pg_stat_user_tables where relname = 'reading';
select 'sessions', count(*) from pg_stat_activity where backend_type = 'client backend';
select 'database_bytes', pg_database_size('postgres');
select 'table_bytes', pg_total_relation_size('reading');
END
