# SPDX-License-Identifier: GPL-2.0-or-later
#
# Says what systemd thinks of itself, and which units failed. Whoever talks to systemd has 90 s to
# introduce himself, at a high ratio a fraction of a real second, so there is more than one try.
for try in 1 2 3 4 5 6 7 8; do
	state=$(systemctl is-system-running 2>&1)
	case $state in
	running) echo running; exit 0 ;;
	degraded)
		echo degraded
		systemctl --failed --plain --no-legend
		exit 1
		;;
	esac
	sleep 60
done
echo "no answer: $state"
exit 1
