#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reads the date and times(2) again and again, and tells when one of them goes back.
#
# A burst of readings, then a sleep: a reader that never slept would keep a CPU busy for days and
# show no more. The last reading before a sleep is compared with the first one after it.
#
# usage: readers.pl SECONDS      time from one burst to the next
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(clock_gettime gettimeofday sleep CLOCK_MONOTONIC CLOCK_BOOTTIME);

use constant BURST => 50;
use constant REPORT_EVERY => 30 * 86400;

my $every = shift // 60;
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my %read = (
    gettimeofday => sub { my ($seconds, $rest) = gettimeofday(); $seconds * 1e6 + $rest },
    times        => sub { (POSIX::times())[0] },
    monotonic    => sub { clock_gettime(CLOCK_MONOTONIC) },
    boottime     => sub { clock_gettime(CLOCK_BOOTTIME) },
);
my (%last, $back, $readings);
my $begun = clock_gettime(CLOCK_BOOTTIME);
my $told = 0;
$back = $readings = 0;
$| = 1;

print "reading ", join(", ", sort keys %read), "; times(2) has $ticks ticks a second\n";
while (1) {
    for (1 .. BURST) {
        for my $clock (keys %read) {
            my $now = $read{$clock}->();
            if (defined $last{$clock} && $now < $last{$clock}) {
                $back++;
                print "$clock WENT BACK from $last{$clock} to $now\n";
            }
            $last{$clock} = $now;
            $readings++;
        }
    }
    my $age = clock_gettime(CLOCK_BOOTTIME) - $begun;
    if ($age - $told >= REPORT_EVERY) {
        $told = $age;
        printf "after %d days: %d readings, %d of them back\n", $age / 86400, $readings, $back;
    }
    sleep $every;
}
