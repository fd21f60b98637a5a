# SPDX-License-Identifier: GPL-2.0-or-later
#
# A session that stays: a row for each minute, and once an hour what is older than a day goes, so
# that there is something for autovacuum to do. Who comes late to a minute makes up for it, so
# that the number of rows says nothing of how fast the machine is.
use strict;
use warnings;

sleep 10 until !system 'psql -h /tmp -U postgres -Atqc "select 1" >/dev/null 2>&1';
open my $session, '|-', qw(psql -h /tmp -U postgres -q --set=ON_ERROR_STOP=1)
	or die "psql: $!\n";
$session->autoflush;
$SIG{PIPE} = sub { die "the session is gone\n" };

my $begun = time;
for (my $minute = 1;; $minute++) {
	print $session "insert into reading (value) values (random());\n";
	print $session "delete from reading where at < now() - interval '1 day';\n"
		if $minute % 60 == 0;
	my $left = $begun + 60 * $minute - time;
	sleep $left if $left > 0;
}
