#!/bin/sh
# An outage, inside a Debian VM: HAProxy's master socket is full. Then somebody types what the README says, and that is recorded.
set -e
. /usr/lib/vm/wait
socket=/run/haproxy/ma.sock

answers() { echo "show version" | socat -t2 - "UNIX-CONNECT:$socket" 2>/dev/null | grep -q .; }
ask() { echo "show version" | timeout 1 socat -t1 - "UNIX-CONNECT:$socket,connect-timeout=1" >/dev/null 2>&1; }
# Connects find no room: the ten slots are taken, and eleven others wait.
is_full() { echo | socat -t1 - "UNIX-CONNECT:$socket,connect-timeout=1" 2>&1 | grep -q 'temporarily unavailable'; }

hostname web-1
echo "EXTRAOPTS=\"-S $socket\"" >>/etc/default/haproxy
systemctl start haproxy
wait_for answers

# One connection each three seconds, and none is closed.
systemd-run --quiet --unit=cert-renewer /usr/bin/cert-renewer leaky "$socket" 100
sleep 35
# What asks for figures each second gives up after a second; its places in the queue stay taken.
until is_full; do ask || true; done
systemd-run --quiet --unit=metrics-exporter sh -c "while :; do echo show info | timeout 1 socat -t1 - UNIX-CONNECT:$socket,connect-timeout=1; sleep 1; done"

mkdir -p /out
python3 /usr/lib/vm/typist.py /out/outage.cast "$1" "$2" </usr/lib/vm/commands
