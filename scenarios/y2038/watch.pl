#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Goes through 2038-01-19T03:14:07Z, the last second of 32 bits, and looks at everything with a
# date in it: the clock, broken-down dates, files' times, and sleeps that end beyond it.
#
# usage: watch.pl DIRECTORY      where files can be made
use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_BOOTTIME);
use Time::Local qw(timegm);

use constant LAST => 0x7fffffff;
# time(2) is cut to whole seconds, and both it and files' times go by the tick, which is 4 real ms
# and comes late on a busy host: at ratio 500 a quarter of a real second is two minutes.
use constant { SLACK => 5, FAR_SLACK => 125 };

sub slack { return abs($_[0] - LAST) < 170 ? SLACK : FAR_SLACK }

my $directory = shift // die "usage: watch.pl DIRECTORY\n";
# At ratio 500 a moment between two readings is seconds: what lies between is told apart by
# reading BOOTTIME before and after.
my @last = moment();
my $round = 0;
my $said = $last[1] > LAST;
$| = 1;

sub fail { print "WRONG: @_\n" }

sub moment { return (clock_gettime(CLOCK_BOOTTIME), time, clock_gettime(CLOCK_BOOTTIME)) }

sub look {
    my @this = moment();
    my ($now, $moved) = ($this[1], $this[1] - $last[1]);
    my $slack = slack($now);
    my ($least, $most) = ($this[0] - $last[2] - $slack, $this[2] - $last[0] + $slack);
    fail("the date moved by $moved s in $least to $most s") if $moved < $least || $moved > $most;
    @last = @this;

    my @parts = gmtime $now;
    fail("gmtime and timegm of $now do not agree") if timegm(@parts) != $now;
    fail("the year of $now is ", $parts[5] + 1900) if $parts[5] + 1900 != 2038;
    fail("strftime says ", POSIX::strftime("%s", localtime $now)) if POSIX::strftime("%s", localtime $now) != $now;

    my $file = "$directory/stamp";
    utime $now, $now, $file or do { open my $made, ">", $file or die "$file: $!\n" };
    utime $now, $now, $file or fail("utime: $!");
    my $stamp = (stat $file)[9];
    fail("a file of $now has the time $stamp") if $stamp != $now;
    open my $written, ">", "$file.new" or die "$file.new: $!\n";
    close $written;
    $stamp = (stat "$file.new")[9];
    fail("a file written after $now has the time $stamp")
        if $stamp < $now - $slack || $stamp > time + $slack;

    if (!$said && $now > LAST) {
        $said = 1;
        print "beyond 2^31: it is ", scalar gmtime $now, ", $now, 0x", sprintf("%x", $now), "\n";
    }
    print scalar gmtime $now, "\n" if $round++ % 144 == 0 || abs($now - LAST) < 30;
}

while (1) {
    look();
    # Each second around the end, every ten minutes else, never past the begin of that minute.
    my $left = LAST - 60 - time;
    my $near = $left <= 0 && $left > -180;
    sleep($near ? 1 : $left > 0 && $left < 600 ? $left : 600);
}
