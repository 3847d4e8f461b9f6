# As docs/install.md has it. $1 is the archive, $2 the version.
cd /tmp
tar -xzf "/trial/$1"
cd "sockleak-$2-"*-linux
cp -r bin lib share /usr/local/
install -D -m 640 etc/sockleak/config.toml /etc/sockleak/config.toml
sh -e /trial/use.sh "$2"
sockleak serve --check-config > /dev/null
cmp /tmp/completions share/bash-completion/completions/sockleak
gzip -dc share/man/man1/sockleak-capture.1.gz | grep -q '^.TH'
