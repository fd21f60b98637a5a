#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sleeps across the end of 32 bits, by a relative timer, and asks find(1) and tar(1) about files
# from both sides of it.
set -e
directory=$(mktemp -d)
cd "$directory"
touch before
begun=$(date +%s)
sleep 10800
ended=$(date +%s)
touch after
slept=$((ended - begun))
echo "slept $slept s, until $(date -u -d "@$ended" '+%F %T')"
# What starts and ends programs takes virtual time, too, minutes at a high ratio.
[ "$slept" -ge 10800 ] && [ "$slept" -le 12600 ] || { echo "WRONG: that is not three hours"; exit 1; }
[ "$ended" -gt 2147483647 ] || { echo "WRONG: $ended is no time after the end"; exit 1; }
[ "$(find . -newer before -name after)" = ./after ] || { echo "WRONG: find takes the later file for older"; exit 1; }
tar -cf files.tar before after
rm before after
tar -xf files.tar
[ "$(find . -newer before -name after)" = ./after ] || { echo "WRONG: tar loses the year"; exit 1; }
[ "$(date -u -r after +%Y)" = 2038 ] || { echo "WRONG: $(date -u -r after)"; exit 1; }
echo "find and tar agree"
