#!/bin/sh
# Makes what is installed from a release binary: in the folder OUT the stripped binary, its symbols
# beside it, manual pages, completions, and a package for Debian.
#
# usage: deploy/package.sh BINARY OUT
#
# The same binary gives the same files, byte by byte: times in the package are those of
# SOURCE_DATE_EPOCH (seconds since 1970, 0 by default).
set -eu

if [ $# -ne 2 ] || [ ! -x "$1" ]; then
	echo "usage: deploy/package.sh BINARY OUT" >&2
	exit 2
fi
here=$(cd "$(dirname "$0")/.." && pwd)
binary=$1
out=$2
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
export SOURCE_DATE_EPOCH

# `rm` names what this script makes, so that a wrong folder loses nothing.
mkdir -p "$out"
rm -rf "$out/deb" "$out/man" "$out/completions" "$out"/roomcast "$out"/roomcast.debug "$out"/roomcast_*.deb
umask 022

objcopy --only-keep-debug "$binary" "$out/roomcast.debug"
objcopy --strip-all "$binary" "$out/roomcast"
# Debuggers find the symbols by this name, in the folder of the binary.
(cd "$out" && objcopy --add-gnu-debuglink=roomcast.debug roomcast)

mkdir "$out/man" "$out/completions"
"$binary" man "$out/man" >/dev/null
"$binary" completions bash >"$out/completions/roomcast.bash"
"$binary" completions zsh >"$out/completions/_roomcast"
"$binary" completions fish >"$out/completions/roomcast.fish"

root=$out/deb
install -D -m 755 "$out/roomcast" "$root/usr/bin/roomcast"
for unit in roomcast.service roomcast.socket; do
	install -D -m 644 "$here/deploy/$unit" "$root/lib/systemd/system/$unit"
done
install -d -m 755 "$root/etc/roomcast" "$root/usr/share/man/man1" "$root/DEBIAN"
# All settings with their defaults, as comments: what is not set follows later versions.
sed -e 's|^data = .*|data = "/var/lib/roomcast"|;t' -e 's/^\([^#]\)/# \1/' \
	"$here/config.example.toml" >"$root/etc/roomcast/roomcast.toml"
for page in "$out"/man/*.1; do
	gzip -9 -n -c "$page" >"$root/usr/share/man/man1/$(basename "$page").gz"
done
install -D -m 644 "$out/completions/roomcast.bash" "$root/usr/share/bash-completion/completions/roomcast"
install -D -m 644 "$out/completions/_roomcast" "$root/usr/share/zsh/vendor-completions/_roomcast"
install -D -m 644 "$out/completions/roomcast.fish" "$root/usr/share/fish/vendor_completions.d/roomcast.fish"
install -D -m 644 "$here/LICENSE" "$root/usr/share/doc/roomcast/copyright"
for file in alerts.yml grafana.json; do
	install -D -m 644 "$here/deploy/$file" "$root/usr/share/doc/roomcast/$file"
done

version=$("$binary" --version | cut -d ' ' -f 2)
architecture=$(dpkg --print-architecture)
cat >"$root/DEBIAN/control" <<END
Package: roomcast
Version: $version
Architecture: $architecture
Maintainer: the builders of Roomcast <roomcast@localhost>
Depends: libc6, libgcc-s1
Section: net
Priority: optional
Installed-Size: $(du -sk "$root" | cut -f 1)
Description: live conversations for web products
 Official Socket.IO clients and plain WebSocket clients share rooms on one port,
 and every acknowledged message is on disk.
END
echo /etc/roomcast/roomcast.toml >"$root/DEBIAN/conffiles"
# An update restarts a running server; a new installation starts nothing before there are settings.
cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart roomcast.service
fi
END
cat >"$root/DEBIAN/prerm" <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now roomcast.socket roomcast.service
fi
END
cat >"$root/DEBIAN/postrm" <<'END'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
END
chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
dpkg-deb --root-owner-group -Zgzip --build "$root" "$out/roomcast_${version}_$architecture.deb" >/dev/null
rm -rf "$root"
ls "$out"
