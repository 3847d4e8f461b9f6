# $1 is the package, $2 the version.
dpkg --install "/trial/$1" > /tmp/dpkg 2>&1 || { cat /tmp/dpkg >&2; exit 1; }
sh -e /trial/use.sh "$2"
cmp /tmp/completions /usr/share/bash-completion/completions/sockleak
test -f /usr/share/man/man1/sockleak-capture.1.gz
test -f /usr/lib/systemd/system/sockleak.service
test "$(stat -c %a /etc/sockleak/config.toml)" = 640
# What it was packed with is what lies there.
dpkg --verify sockleak
getent passwd sockleak > /dev/null
dpkg --purge sockleak > /tmp/dpkg 2>&1 || { cat /tmp/dpkg >&2; exit 1; }
test ! -e /usr/bin/sockleak
test ! -e /etc/sockleak
