# $1 is the package, $2 the version. glibc and systemd are Debian's here, of which rpm does not know; so what it asks for is read, and
# not resolved.
package="/trial/$1"
rpm --query --package --requires "$package" > /tmp/requires
grep -qx 'glibc >= 2.28' /tmp/requires
grep -qx 'systemd' /tmp/requires
test "$(rpm --query --package --queryformat '%{LICENSE}' "$package")" = 'MIT OR Apache-2.0'
rpm --force-debian --nodeps --install "$package"
sh -e /trial/use.sh "$2"
test "$(rpm --query sockleak)" = "$(basename "$package" .rpm)"
rpm --verify --nodeps sockleak
cmp /tmp/completions /usr/share/bash-completion/completions/sockleak
test -f /usr/share/man/man1/sockleak-capture.1.gz
test -f /usr/share/zsh/site-functions/_sockleak
rpm --query --configfiles sockleak | grep -qx /etc/sockleak/config.toml
getent passwd sockleak > /dev/null
# An edited configuration outlives the package.
echo '# edited' >> /etc/sockleak/config.toml
rpm --force-debian --nodeps --erase sockleak
test ! -e /usr/bin/sockleak
test -f /etc/sockleak/config.toml.rpmsave
