#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two sessions that do nothing for two hours: the server must cut both after one, the one between
# commands and the one inside a transaction.
session() {
	{
		echo "$1"
		sleep 7200
		echo "select 'still there';"
	} | psql -h /tmp -U postgres -At 2>&1
}
status=0
for first in "select 'here';" "begin; select 'here';"; do
	said=$(session "$first")
	case $said in
	*"still there"*) echo "not cut after '$first'"; status=1 ;;
	*"terminating connection due to idle"*) echo "cut as it should be after '$first'" ;;
	*) echo "ended otherwise after '$first': $said"; status=1 ;;
	esac
done
exit $status
