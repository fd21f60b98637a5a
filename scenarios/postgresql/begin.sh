#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A cluster of PostgreSQL's own making, with a table and somebody who may read it.
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
install -d -o postgres -g postgres -m 700 /srv/postgresql
cd /srv/postgresql
setpriv --reuid postgres --regid postgres --init-groups "$bin/initdb" --pgdata=/srv/postgresql/data --auth=trust --no-sync >/dev/null
cat >>data/postgresql.conf <<'END'
listen_addresses = ''
unix_socket_directories = '/tmp'
# At ratio 200 a minute is 300 real ms, which an emulated CPU needs to start a session.
authentication_timeout = 10min
idle_session_timeout = 1h
idle_in_transaction_session_timeout = 1h
autovacuum_naptime = 10min
log_autovacuum_min_duration = 0
checkpoint_timeout = 1h
shared_buffers = 32MB
END
setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" --single -D data postgres >/dev/null <<'END'
create table reading (at timestamptz not null default now(), value double precision not null)
END
