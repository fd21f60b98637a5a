#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Asks a server for a handshake, as a client does that trusts the authority.
#
# usage: client.sh renewed       must always hold
#        client.sh forgotten     must hold until its certificate ends, and not a day longer
margin=3600
cd /srv/tls || exit 1

handshake() {
	openssl s_client -connect "127.0.0.1:$2" -servername "$1.test" -verify_hostname "$1.test" \
		-CAfile ca.crt -verify_return_error -brief </dev/null 2>&1
}

case $1 in
renewed)
	said=$(handshake renewed 8443) && exit 0
	echo "no handshake on $(date -u +%F): $said"
	exit 1
	;;
forgotten)
	ends=$(date -d "$(openssl x509 -enddate -noout -in forgotten.crt | cut -d= -f2)" +%s)
	begun=$(date +%s)
	said=$(handshake forgotten 9443)
	status=$?
	ended=$(date +%s)
	if [ $status -ne 0 ] && [ "$ended" -lt $((ends - margin)) ]; then
		echo "no handshake on $(date -u +%F), before the end: $said"
		exit 1
	fi
	if [ $status -eq 0 ] && [ "$begun" -gt $((ends + margin)) ]; then
		echo "the certificate still holds on $(date -u +%F), after its end"
		exit 1
	fi
	case $said in
	*"certificate has expired"*)
		if [ ! -e expired ]; then
			touch expired
			echo "expired on day $(((ended - $(stat -c %Y ready)) / 86400)), $(date -u '+%F %H:%M')"
		fi
		;;
	*)
		[ $status -eq 0 ] || { echo "failed, but not by its date: $said"; exit 1; }
		;;
	esac
	exit 0
	;;
*)
	echo "usage: client.sh renewed|forgotten" >&2
	exit 2
	;;
esac
