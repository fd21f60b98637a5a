#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A certification authority of our own, good for ten years, and certificates of 90 days by it.
# Keys are P-256: one of RSA takes an emulated CPU seconds to find.
#
# usage: authority.sh begin          the authority, and a certificate for both servers
#        authority.sh renew          another for the one that is renewed, when 30 days are left
set -e
umask 077
mkdir -p /srv/tls
cd /srv/tls

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

certificate() {
	key "$1.key.new"
	openssl req -new -key "$1.key.new" -subj "/CN=$1.test" -addext "subjectAltName=DNS:$1.test" |
		openssl x509 -req -days 90 -CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copy -out "$1.crt.new"
	mv "$1.key.new" "$1.key"
	mv "$1.crt.new" "$1.crt"
}

case $1 in
begin)
	key ca.key
	openssl req -x509 -new -key ca.key -days 3650 -subj "/CN=An authority for tests" -out ca.crt
	certificate renewed
	certificate forgotten
	touch ready
	;;
renew)
	# Half a day more: what was made at four some minutes ago is not to wait until tomorrow night.
	if openssl x509 -checkend $((30 * 86400 + 43200)) -noout -in renewed.crt; then
		exit 0
	fi
	certificate renewed
	kill -HUP "$(cat /run/nginx-tls.pid)"
	echo "renewed until $(openssl x509 -enddate -noout -in renewed.crt)"
	;;
*)
	echo "usage: authority.sh begin|renew" >&2
	exit 2
	;;
esac
