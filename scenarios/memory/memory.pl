#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Uses memory in a saw-tooth, as a program with a cache or a garbage collector does: a piece more
# every ten minutes, all given back every six hours. With an argument it also forgets to give
# something back, an hour at a time.
#
# usage: memory.pl [BYTES_AN_HOUR]
use strict;
use warnings;

use constant STEP => 600;
use constant STEPS_AN_HOUR => 6;
use constant STEPS_A_TOOTH => 36;
use constant PIECE => 128 << 10;

my $leak = shift // 0;
my ($step, @used, @forgotten) = (0);
while (1) {
    push @used, "x" x PIECE;
    @used = () if ++$step % STEPS_A_TOOTH == 0;
    # A value of its own each time, so that the memory is really written.
    push @forgotten, chr(65 + $step % 26) x $leak if $leak && $step % STEPS_AN_HOUR == 0;
    sleep STEP;
}
