#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A session that stays: a row each minute, and once an hour what is older than a day goes, so that
# there is something for autovacuum to do.
sql() {
	minute=0
	while :; do
		echo "insert into reading (value) values (random());"
		minute=$((minute + 1))
		[ $((minute % 60)) -ne 0 ] || echo "delete from reading where at < now() - interval '1 day';"
		sleep 60
	done
}
until psql -h /tmp -U postgres -Atqc "select 1" >/dev/null 2>&1; do sleep 10; done
sql | exec psql -h /tmp -U postgres -q --set=ON_ERROR_STOP=1
