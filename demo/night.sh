#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the guest: a night as a server sees it. Nothing in it knows of dynaccel: cron is
# busybox's, a static program; date, sleep and Python are as the distribution ships them.
# Prints lines of the form "date|who|what".
set -eu

log=$(mktemp)
crontabs=$(mktemp -d)

say() {
	echo "$(date '+%F %T')|$1|$2"
}

cat > "$crontabs/root" <<CRONTAB
0 * * * *	echo "\$(date '+%F %T')|cron|hourly job" >> $log
30 2 * * *	echo "\$(date '+%F %T')|cron|nightly backup" >> $log
CRONTAB

say date "good evening, this is Linux $(uname -r)"
busybox crond -f -c "$crontabs" -L /dev/null &

/usr/bin/python3 -u -c '
import time
while True:
    time.sleep(3 * 3600)
    print(time.strftime("%F %T") + "|python|time.sleep(3 * 3600) came back", flush=True)
' &

tail -n +1 -f "$log" &

sleep 10h
say date "good morning, $(cut -d. -f1 /proc/uptime) seconds after boot"
