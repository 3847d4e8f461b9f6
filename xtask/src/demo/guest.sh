#!/bin/sh
# The demo, inside the VM: HAProxy, three clients of its master socket, and sockleak, which says who they are.
. /usr/lib/vm/wait
socket=/run/haproxy/ma.sock
said=/tmp/capture

show() {
    if [ -n "$NO_COLOR" ]; then printf '\n%s\n' "$1"; else printf '\n\033[1m%s\033[0m\n' "$1"; fi
}

answers() { echo "show version" | socat - "UNIX-CONNECT:$socket" 2>/dev/null | grep -q .; }
# Its headings come first, once all hooks are attached; a status this early is a failure.
capturing() { grep -q '^TIME' "$said" 2>/dev/null || [ -s /tmp/status ]; }

show "# haproxy -W -S $socket -f /etc/haproxy/haproxy.cfg"
haproxy -W -S "$socket" -f /etc/haproxy/haproxy.cfg >/tmp/haproxy.log 2>&1 &
wait_for answers

show "# sockleak capture $socket --for 14s --leak-age 2s --output ma.db"
mkdir -p /out
{ sockleak capture "$socket" --for 14s --leak-age 2s --output /out/ma.db; echo $? >/tmp/status; } | tee "$said" &
capture=$!
wait_for capturing
[ -s /tmp/status ] && exit "$(cat /tmp/status)"

/usr/bin/cert-renewer leaky "$socket" 4 &
/usr/bin/metrics-exporter polite "$socket" 6 &
for _ in 1 2; do
    echo "show proc" | socat - "UNIX-CONNECT:$socket" >/dev/null
done
wait "$capture"
exit "$(cat /tmp/status)"
